module github.com/postern-auth/postern/e2e/proxies

go 1.26.0

require github.com/postern-auth/postern v0.0.0

replace github.com/postern-auth/postern => ../..
