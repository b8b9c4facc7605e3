package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// importedUsers are the users of a flood that have a hash from elsewhere, cheaper than ours.
const importedUsers = 8

// importedHash is one: bcrypt of cost 5.
const importedHash = "$2b$05$JOky943UXvel3n.l3tPPderGr87NvtmaGniwAXZ651Q.3prYCMXIK"

// alike compares how long refusals take of users, of users with a hash from elsewhere, and of nobody. They are asked for
// in turns, in an order that is drawn anew for each, so that what disturbs the one disturbs the other.
func (f *flooded) alike(ctx context.Context, b *bench) error {
	for i := range importedUsers {
		body := fmt.Sprintf(`{"user":{"user_type":"human","username":"moved-%d","email":"moved-%d@example.com","password_hash":%q}}`, i, i, importedHash)
		if status, err := f.call(ctx, "/users", body); err != nil || status != http.StatusCreated {
			return fmt.Errorf("make a user with a hash: %d, %w", status, err)
		}
	}
	kinds := []struct {
		name string
		who  func(i int) string
	}{
		{"a user", func(i int) string { return fmt.Sprintf("flood-%d", i%floodUsers) }},
		{"nobody", func(i int) string { return fmt.Sprintf("nobody-%d", i) }},
		{"a user with an imported hash", func(i int) string { return fmt.Sprintf("moved-%d", i%importedUsers) }},
	}
	took := make([][]float64, len(kinds))
	for i := range 9 * importedUsers { // an account bears ten wrong passwords
		for _, k := range rand.Perm(len(kinds)) { // what came before is felt: a hash after a hash finds its memory warm
			kind := kinds[k]
			begun := time.Now()
			status, err := f.call(ctx, "/users/"+kind.who(i)+"/authenticate", `{"password":"not the password of anybody"}`)
			if err != nil || status != http.StatusUnauthorized && status != http.StatusNotFound {
				return fmt.Errorf("a wrong password for %s: %d, %w", kind.name, status, err)
			}
			took[k] = append(took[k], time.Since(begun).Seconds()*1000)
		}
	}
	for k, kind := range kinds[1:] {
		a, other := took[0], took[k+1]
		b.add(line{What: "refusals of " + kind.name + " and of a user: p of Mann and Whitney", Value: mannWhitney(a, other),
			Detail: fmt.Sprintf("medians %s / %s ms, %d each", number(median(other)), number(median(a)), len(a))})
	}
	return nil
}

// median returns the median of some numbers.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// mannWhitney returns how likely two samples of one distribution differ as these do, or more (two-sided, by the normal
// approximation, without ties).
func mannWhitney(a, b []float64) float64 {
	u := 0.0
	for _, x := range a {
		for _, y := range b {
			if x > y {
				u++
			} else if x == y {
				u += 0.5
			}
		}
	}
	n, m := float64(len(a)), float64(len(b))
	z := (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
	return math.Erfc(math.Abs(z) / math.Sqrt2)
}
