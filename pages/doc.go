// Package pages is what people see of Postern: forms to sign in, to show a second factor and to sign out. They are made on
// the server and work without a script; who is told what, guard and core decide.
//
// Both hosts mount the pages beside a guard, under one path. The pages set the cookie that the guard reads. What they say is the
// same, and takes as long, for users who are there and who are not.
package pages
