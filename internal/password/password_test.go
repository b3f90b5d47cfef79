package password_test

import (
	"strings"
	"testing"

	"busbar/internal/password"
)

func TestOnlyThePasswordFits(t *testing.T) {
	t.Parallel()
	const secret = "correct horse battery staple"
	hash, err := password.Hash(secret)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(hash, secret) {
		t.Errorf("hash = %s", hash)
	}
	again, err := password.Hash(secret)
	if err != nil || again == hash {
		t.Errorf("two hashes of one password are the same, or %v", err)
	}
	for given, want := range map[string]bool{secret: true, secret + " ": false, "": false, strings.ToUpper(secret): false} {
		if got, err := password.Check(hash, given); err != nil || got != want {
			t.Errorf("check of %q = %v, %v", given, got, err)
		}
	}
	for _, given := range []string{"", secret} {
		if got, err := password.Check("", given); err != nil || got {
			t.Errorf("an empty hash lets %q in: %v, %v", given, got, err)
		}
	}
}

func TestAHashOfAnotherProgramFits(t *testing.T) {
	t.Parallel()
	// From the test vectors of the reference implementation: password "password", salt "somesalt".
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if got, err := password.Check(hash, "password"); err != nil || !got {
		t.Errorf("check = %v, %v", got, err)
	}
}

func TestRubbishIsAnError(t *testing.T) {
	t.Parallel()
	for _, hash := range []string{
		"x", "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=999999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$",
		"$argon2id$v=19$m=19456,t=2,p=1$?$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	} {
		if got, err := password.Check(hash, "password"); err == nil || got {
			t.Errorf("check of %q = %v, %v", hash, got, err)
		}
	}
}
