module github.com/postern-auth/postern/e2e/attack

go 1.26.0
