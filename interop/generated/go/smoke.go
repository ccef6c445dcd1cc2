// Registers two users, logs in, publishes and claims a KeyPackage and polls, all by the generated client.
//
// Takes the server's URL, the seed of an Ed25519 key and a KeyPackage that was made with it for the first client, both base64url.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"

	"microchat.example/smoke/microchat"
)

const (
	schemeEd25519 = 0x0807
	suite         = 1
)

var background = context.Background()

type device struct {
	user, client string
	key          ed25519.PrivateKey
	api          *microchat.ClientWithResponses
}

func newDevice(url, user string, key ed25519.PrivateKey) device {
	return device{
		user:   "mimi://localhost/u/" + user,
		client: "mimi://localhost/d/" + user + "/generated",
		key:    key,
		api:    must(microchat.NewClientWithResponses(url)),
	}
}

// prove returns a nonce, and SignWithLabel (RFC 9420 §5.1.2) over it.
func (d device) prove() (nonce, proof string) {
	answer := must(d.api.CreateChallengeWithResponse(background, microchat.ChallengeRequest{Client: d.client}))
	challenge := present(answer.JSON201, answer.Body)
	content := append(opaque([]byte(challenge.Domain)), opaque([]byte(d.client))...)
	content = append(content, opaque(decoded(challenge.Nonce))...)
	content = binary.BigEndian.AppendUint64(content, uint64(challenge.ExpiresAt))
	signed := append(opaque([]byte("MLS 1.0 MicroChat Device Login")), opaque(content)...)
	return challenge.Nonce, encoded(ed25519.Sign(d.key, signed))
}

func (d device) publicKey() string {
	return encoded(d.key.Public().(ed25519.PublicKey))
}

func (d device) register() *microchat.RegisterAccountResponse {
	nonce, proof := d.prove()
	return must(d.api.RegisterAccountWithResponse(background, nil, microchat.RegisterAccount{
		User:          d.user,
		Client:        d.client,
		Nonce:         nonce,
		SignatureKeys: []microchat.NewSignatureKey{{Scheme: schemeEd25519, PublicKey: d.publicKey(), Proof: proof}},
	}))
}

// logIn returns what adds the access token to a request.
func (d device) logIn() microchat.RequestEditorFn {
	nonce, proof := d.prove()
	answer := must(d.api.LogInWithResponse(background, nil, microchat.OpenSession{
		Client: d.client, Nonce: nonce, PublicKey: d.publicKey(), Proof: proof,
	}))
	return bearer(present(answer.JSON201, answer.Body).AccessToken)
}

func bearer(token string) microchat.RequestEditorFn {
	return func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}

func main() {
	url, seed, keyPackage := os.Args[1], os.Args[2], os.Args[3]
	alice := newDevice(url, "go-alice", ed25519.NewKeyFromSeed(decoded(seed)))
	_, fresh, err := ed25519.GenerateKey(rand.Reader)
	carol := newDevice(url, "go-carol", must(fresh, err))
	for _, one := range []device{alice, carol} {
		answer := one.register()
		present(answer.JSON201, answer.Body)
	}
	again := alice.register()
	present(again.ApplicationproblemJSON409, again.Body)
	aliceSession, carolSession := alice.logIn(), carol.logIn()

	upload := microchat.UploadKeyPackages{KeyPackages: &[]string{keyPackage}}
	stored := must(alice.api.UploadKeyPackagesWithResponse(background, upload, aliceSession))
	check(len(present(stored.JSON201, stored.Body).Stored) == 1, stored.Body)
	claim := microchat.ClaimKeyPackages{User: alice.user, CipherSuites: []int{suite}}
	answer := must(carol.api.ClaimKeyPackagesWithResponse(background, claim, carolSession))
	claimed := present(answer.JSON200, answer.Body).KeyPackages
	check(len(claimed) == 1 && claimed[0].KeyPackage == keyPackage, answer.Body)

	wait := 0
	polled := must(alice.api.PollEventsWithResponse(background, &microchat.PollEventsParams{Wait: &wait}, aliceSession))
	events := present(polled.JSON200, polled.Body)
	check(len(events.Inbox) == 1 && len(events.Entries) == 0 && !events.More, polled.Body)
	item := must(events.Inbox[0].AsKeyPackagesLowItem())
	check(item.Kind == "key-packages.low" && item.Remaining == 0, polled.Body)
	stranger := must(alice.api.PollEventsWithResponse(background, nil, bearer("wrong")))
	present(stranger.ApplicationproblemJSON401, stranger.Body)
}

// opaque is `opaque<V>` of RFC 9420 §2.1.2, of up to 16383 bytes.
func opaque(data []byte) []byte {
	if len(data) < 64 {
		return append([]byte{byte(len(data))}, data...)
	}
	return append([]byte{0x40 | byte(len(data)>>8), byte(len(data))}, data...)
}

func encoded(data []byte) string {
	return base64.RawURLEncoding.EncodeToString(data)
}

func decoded(text string) []byte {
	return must(base64.RawURLEncoding.DecodeString(text))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// present returns the body of the status that is expected; an answer of another status has none.
func present[T any](body *T, answer []byte) T {
	check(body != nil, answer)
	return *body
}

func check(holds bool, answer []byte) {
	if !holds {
		panic(fmt.Sprintf("not what was expected: %s", answer))
	}
}
