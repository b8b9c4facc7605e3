module github.com/postern-auth/postern/e2e/vulndb

go 1.26.0
