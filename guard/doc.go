// Package guard judges HTTP requests: is this one signed in, as whom, and what does the application behind
// learn of it. The hosts put it in front of an application, and so does any Go program that uses net/http:
//
//	g, err := guard.New(guard.Options{
//		Realms: c.Realms, Resolver: c.Sessions, Feed: guard.FeedOf(c.Feed), Now: c.Now, // c is a *core.Core
//	})
//	...
//	http.ListenAndServe(":8080", g.Handler(app))
//
// A verdict has three values. Allow passes the request on. Deny refuses it with 401, or 403 where the user is
// known and may not enter, or 400 where the request tries to meddle with identity headers or its path can be read in two ways, or 405 for CONNECT and TRACE. CannotKnow refuses
// it with 503 and Retry-After: the store is away, and nobody is told to sign in again because of that.
//
// # What the application sees
//
// Who the user is travels in identity headers, X-Postern-User-Id and others (Options.CopyHeaders). The application may
// trust them: whatever the client sent under such a name, or under any name that begins with X-Postern-, is
// removed before anything else happens. Names are compared folded: case does not count, and all that is
// neither a letter nor a digit is the same, because some applications read x_postern.user-id as X-Postern-User-Id.
//
// Values are the user's texts byte for byte, in UTF-8. A text that a header cannot carry unharmed is left out,
// never altered: one with control characters, with white space at either end, or that is not valid UTF-8. A
// header without a value is absent.
//
// Credentials stay here, but for a bearer token where Settings.PassToken says otherwise. A CORS preflight, which carries none, has no body
// and opens nothing, passes without identity, of its answer the headers alone come back, and what is public passes so too. Go programs find the Identity with FromContext; guards in
// front of the same application share Names, and then each goes by whom the one before it found.
//
// # What is open for long
//
// A WebSocket, a stream of events and a long download end when their user may no longer enter: Admit gives each request a
// context that ends then. A handler that takes its connection over must heed that.
//
// # What is remembered
//
// A token seen before is judged from memory, for as long as the invalidation feed confirms that nothing has
// changed; while the feed is silent, each request is read through to the store. Refusals are not
// remembered, so that garbage drives out nobody.
package guard
