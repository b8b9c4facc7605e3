package core

import (
	"strings"
	"testing"
)

// importedPassword is what the hashes below are of.
const importedPassword = "Z\u00fcrich-2024 tram"

// importedHashes were made by other programs.
var importedHashes = []struct{ by, hash string }{
	{"Debian's argon2, argon2d", `$argon2d$v=19$m=64,t=2,p=2$c29tZXNhbHQ$6hKEVlhj1lrNpHWsReK0rVd0HIkoL20a`},
	{"Debian's argon2, argon2i of version 1.0", `$argon2i$v=16$m=64,t=2,p=2$c29tZXNhbHQ$iru+kTV9AK3sFj2nnhcIHeDu55gEMyU6qZG73Kg+nEs`},
	{"the same, as it was written before versions", `$argon2i$m=64,t=2,p=2$c29tZXNhbHQ$iru+kTV9AK3sFj2nnhcIHeDu55gEMyU6qZG73Kg+nEs`},
	{"PHP, argon2i", `$argon2i$v=19$m=64,t=2,p=1$V1psOTUyUXIuZUxwc2lRWg$lXqMEG8N2nSU2Jhma3Fgh3vbmedP3kbYdH9Y4m0XMIg`},
	{"PHP, argon2id", `$argon2id$v=19$m=256,t=1,p=2$MXhnUzMwcW5hMjBLZWdDMQ$u9XPPVc8MY637Qv5C2KLgH7jROV+Yyzi5nvSIZ/CC2k`},
	{"PHP, bcrypt", `$2y$04$guEx55mzi89B.L.hZAlpvuJhy4O.LK9k4wHu6fY3HlUneh3gsn8Qe`},
	{"PHP, as WordPress 6.8 uses it", `$wp$2y$05$cq7AS/oPVIFlyaJqWyfbCex2sJbuRxdfe3nKulAS1DveVuFeRPjM.`},
	{"mkpasswd, bcrypt-a", `$2a$05$TbtE4a9P4fIFIEh7lhjbsucnYggFFQj5TABfOmceykv.ZLKPFXhQe`},
	{"mkpasswd, bcrypt", `$2b$05$JOky943UXvel3n.l3tPPderGr87NvtmaGniwAXZ651Q.3prYCMXIK`},
	{"passlib, scrypt", `$scrypt$ln=10,r=8,p=1$pBQCYEwJwdi7915LKSXEmA$q4oAvjt8S3bQ9lugDt3nPiApnH7tfJ+p0EkvLQZHXGY`},
	{"passlib, pbkdf2 sha1", `$pbkdf2$1000$tjaG0Pqf0xpDKIVQao2xdg$PSIzneJFzgIOqL/D/Zqx8XqJUDo`},
	{"passlib, pbkdf2 sha256", `$pbkdf2-sha256$1000$ilEqRUiJcY5RCkHI.X.vFQ$z30cSkWdPdjLl9ooNDpU3mgsbWVEa4hcGUxhRAhurkI`},
	{"passlib, pbkdf2 sha512", `$pbkdf2-sha512$1000$qTVm7H0vBSDk3FvrvRcC4A$5cgbbm5RIQlt3c8mi3sMwupOjY3R0AOBQUMqyJYwWZk2MWx3XvZr9XJej4Dm.bBcgcUqrsTYBjMTJI8ToPbV1w`},
	{"the same in PHC", `$pbkdf2-sha512$i=1000,l=64$qTVm7H0vBSDk3FvrvRcC4A$5cgbbm5RIQlt3c8mi3sMwupOjY3R0AOBQUMqyJYwWZk2MWx3XvZr9XJej4Dm+bBcgcUqrsTYBjMTJI8ToPbV1w`},
	{"passlib, Django", `pbkdf2_sha256$1000$54tZRmLneuNx$H+jw+Ram2nlSu8pmVnxr9Lju8thoyKbHhKDc3XH92Eo=`},
	{"passlib, Django sha1", `pbkdf2_sha1$1000$wZ5WQWlUEHnq$QOpQRLh2NiuBFCQcaPh3sRMJ04k=`},
	{"passlib, sha256-crypt", `$5$rounds=1000$Q4LWKDludQObiOcA$Lc2pmLsvENMPRw7vH4ERf1AenjnRZVgNNdUTPAJ8sH3`},
	{"passlib, sha512-crypt", `$6$rounds=1000$eSzzkmP76zK/WQs7$7rxpR0.96eTLPCqs/Y/CrsJUIjqireLTxp8XgYgzqdNPoTHDuxkEEg2XAxQjmpaeoUhLfkiMjgwBGIwb1zSXX/`},
	{"glibc, sha256-crypt", `$5$saltstring$f6PlDL87Pkxdd52HCwYGnV8jMJorR92iJrc1CmZGyPD`},
	{"openssl, sha512-crypt", `$6$abcdefgh$ixxCeoaIi9aGfIosMqABMBvaC.lcbIhi5df2RvrwzcnCci7nt2Uamd4yb5UBjGqWu972EsInFs2TMB3o8Ukjm.`},
	{"openssl, md5-crypt", `$1$abcdefgh$1dsFLF4ATFHrBngK5lDw8/`},
	{"passlib, phpass", `$P$6Tb8XQppOM6eG6vk4niYXgGIBpwvDM.`},
	{"passlib, phpBB", `$H$6Kn/OyGyyvxYUSd/PbKYy.wwykq61K1`},
	{"passlib, SSHA", `{SSHA}W+phg1hgkxq85xigUytntGtSLGwspRSC`},
	{"passlib, SHA", `{SHA}BpocEQeS+WdRKWtKps1ibailw+Y=`},
	{"passlib, SSHA256", `{SSHA256}ydceSiEmCJaJUo59kiTesE/oOfG0F5xEaj/nMjJ/Q3FyrtX6P0fonQ==`},
	{"passlib, SSHA512", `{SSHA512}dE6cy6CCX45aqyV6r8a8ajUVqNwW/OG83E/20K9Bt6jBaYS9ORus2e+Ag5SS4Yv2kG5JLdsiMe1YH0nhmEmLwtOa816rVYpx`},
}

// Firebase's, of "user1password": the example in the README of its own scrypt.
const (
	firebaseExample = `$firescrypt$ln=14,r=8,p=1$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==$Bw==$` +
		`jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==`
	supabaseExample = `$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$` +
		`42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==`
)

func TestImportedHashes(t *testing.T) {
	check := func(by, hash, password string) {
		h, err := parseImportedHash(hash)
		if err != nil || !h.matches([]byte(password)) {
			t.Errorf("%s: %q does not match %q (%v)", by, hash, password, err)
			return
		}
		for _, wrong := range []string{"", password + "!", strings.ToUpper(password), "Zu\u0308rich-2024 tram"} {
			if h.matches([]byte(wrong)) {
				t.Errorf("%s: %q matches %q", by, hash, wrong)
			}
		}
	}
	for _, tt := range importedHashes {
		check(tt.by, tt.hash, importedPassword)
	}
	check("Firebase", firebaseExample, "user1password")
	check("Firebase, by Supabase", supabaseExample, "user1password")
}

// TestImportedHashesAreBounded refuses what would cost too much, before any work, and what is not what it says.
func TestImportedHashesAreBounded(t *testing.T) {
	for _, hash := range []string{
		"", "$", "password", "$y$j9T$abc$def", "$7$C6..../....salt$hash", "{CRYPT}$6$x$y", "{SHA}", "{SSHA}AAAA", "{MD5}BpocEQeS+WdRKWtKps1ibailw+Y=",
		`$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$6hKEVlhj1lrNpHWsReK0rVd0HIkoL20a`,
		`$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$6hKEVlhj1lrNpHWsReK0rVd0HIkoL20a`,
		`$argon2id$v=19$m=262144,t=5,p=1$c29tZXNhbHQ$6hKEVlhj1lrNpHWsReK0rVd0HIkoL20a`,
		`$argon2id$v=19$m=64,t=11,p=1$c29tZXNhbHQ$6hKEVlhj1lrNpHWsReK0rVd0HIkoL20a`,
		`$argon2id$v=19$m=1024,t=1,p=17$c29tZXNhbHQ$6hKEVlhj1lrNpHWsReK0rVd0HIkoL20a`,
		`$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$6hKEVlhj1lrNpHWsReK0rVd0HIkoL20a`,
		`$argon2id$v=20$m=64,t=1,p=1$c29tZXNhbHQ$6hKEVlhj1lrNpHWsReK0rVd0HIkoL20a`,
		`$argon2id$v=19$t=1,m=64,p=1$c29tZXNhbHQ$6hKEVlhj1lrNpHWsReK0rVd0HIkoL20a`,
		`$2b$16$JOky943UXvel3n.l3tPPderGr87NvtmaGniwAXZ651Q.3prYCMXIK`,
		`$wp$2y$16$cq7AS/oPVIFlyaJqWyfbCex2sJbuRxdfe3nKulAS1DveVuFeRPjM.`, `$wp$`, `$wp$2y$05$`,
		`$wp$P$6Tb8XQppOM6eG6vk4niYXgGIBpwvDM.`, `$wp$wp$2y$05$cq7AS/oPVIFlyaJqWyfbCex2sJbuRxdfe3nKulAS1DveVuFeRPjM.`,
		`$2b$5$JOky943UXvel3n.l3tPPderGr87NvtmaGniwAXZ651Q.3prYCMXIK`,
		`$scrypt$ln=18,r=8,p=1$pBQCYEwJwdi7915LKSXEmA$q4oAvjt8S3bQ9lugDt3nPiApnH7tfJ+p0EkvLQZHXGY`,
		`$scrypt$ln=17,r=8,p=2$pBQCYEwJwdi7915LKSXEmA$q4oAvjt8S3bQ9lugDt3nPiApnH7tfJ+p0EkvLQZHXGY`,
		`$scrypt$ln=10,r=9,p=1$pBQCYEwJwdi7915LKSXEmA$q4oAvjt8S3bQ9lugDt3nPiApnH7tfJ+p0EkvLQZHXGY`,
		strings.Replace(firebaseExample, "ln=14", "ln=30", 1), strings.Replace(firebaseExample, "p=1", "p=2", 1),
		`$pbkdf2-sha256$4000001$ilEqRUiJcY5RCkHI.X.vFQ$z30cSkWdPdjLl9ooNDpU3mgsbWVEa4hcGUxhRAhurkI`,
		`$pbkdf2$2000001$ilEqRUiJcY5RCkHI.X.vFQ$z30cSkWdPdjLl9ooNDpU3mgsbWVEa4hcGUxhRAhurkI`, // two blocks
		`$pbkdf2-sha256$i=1000,l=64$ilEqRUiJcY5RCkHI.X.vFQ$z30cSkWdPdjLl9ooNDpU3mgsbWVEa4hcGUxhRAhurkI`,
		`$pbkdf2-md5$1000$ilEqRUiJcY5RCkHI.X.vFQ$z30cSkWdPdjLl9ooNDpU3mgsbWVEa4hcGUxhRAhurkI`,
		`pbkdf2_sha256$99999999$54tZRmLneuNx$H+jw+Ram2nlSu8pmVnxr9Lju8thoyKbHhKDc3XH92Eo=`,
		`$6$rounds=1000001$abcdefgh$ixxCeoaIi9aGfIosMqABMBvaC.lcbIhi5df2RvrwzcnCci7nt2Uamd4yb5UBjGqWu972EsInFs2TMB3o8Ukjm.`,
		`$6$rounds=999$abcdefgh$ixxCeoaIi9aGfIosMqABMBvaC.lcbIhi5df2RvrwzcnCci7nt2Uamd4yb5UBjGqWu972EsInFs2TMB3o8Ukjm.`,
		`$P$ZTb8XQppOM6eG6vk4niYXgGIBpwvDM.`, `$P$6Tb8XQppOM6eG6vk4niYXgGIBpwvDM`, `$P$`,
		"{SHA}" + strings.Repeat("A", maxImportedHash),
	} {
		if h, err := parseImportedHash(hash); err != errImportedHash || h != nil {
			t.Errorf("parseImportedHash(%q) = %v, %v; want a refusal", hash, h, err)
		}
	}
}

// FuzzParseImportedHash holds what is accepted to its bounds.
func FuzzParseImportedHash(f *testing.F) {
	for _, tt := range importedHashes {
		f.Add(tt.hash)
	}
	f.Add(firebaseExample)
	f.Add(supabaseExample)
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseImportedHash(text)
		if (err == nil) == (h == nil) {
			t.Fatalf("parseImportedHash(%q) = %v, %v", text, h, err)
		}
		ok := true
		switch h := h.(type) {
		case argon2Hash:
			ok = h.Memory <= 256<<10 && h.Memory >= 8*h.Lanes && h.Passes >= 1 && h.Passes <= 10 && h.Lanes >= 1 && h.Lanes <= 16 && len(h.hash) >= 4
		case scryptHash:
			ok = h.logN >= 1 && h.logN <= 17 && h.r*h.p<<h.logN <= 1<<20
		case firebaseHash:
			ok = h.logN >= 1 && h.logN <= 17 && h.r <= 8 && len(h.hash) == len(h.signer) && len(h.hash) > 0
		case pbkdf2Hash:
			ok = h.digest != nil && h.iterations >= 1 && h.iterations <= 4_000_000 && len(h.hash) >= 16
		case shaCryptHash:
			ok = h.rounds >= 1000 && h.rounds <= 1_000_000
		case phpassHash:
			ok = h.log >= 7 && h.log <= 17
		case ldapHash:
			ok = len(h.hash) >= 20
		}
		if !ok {
			t.Errorf("parseImportedHash(%q) = %+v, which is out of bounds", text, h)
		}
	})
}
