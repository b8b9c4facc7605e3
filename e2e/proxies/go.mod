module github.com/postern-auth/postern/e2e/proxies

go 1.26.0
