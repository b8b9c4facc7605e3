package guard

import (
	"fmt"
	"net/http"
	"strings"
)

// grpcStatus are the codes of gRPC for our statuses (grpc.io, "Status codes").
var grpcStatus = map[int]string{
	http.StatusBadRequest: "3", http.StatusForbidden: "7", http.StatusTooManyRequests: "8",
	http.StatusServiceUnavailable: "14", http.StatusUnauthorized: "16",
}

// grpcMedia returns the media type to answer a gRPC or gRPC-Web call in, which is a POST. To anything else its 200 would be a lie: to a proxy in
// front, that of CONNECT says that the tunnel is open.
func grpcMedia(r *http.Request) (string, bool) {
	if r.Method != http.MethodPost {
		return "", false
	}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if media == "application/grpc" || strings.HasPrefix(media, "application/grpc+") || strings.HasPrefix(media, "application/grpc-web") {
		return media, isToken(strings.NewReplacer("/", "-", "+", "-", ".", "-").Replace(media))
	}
	return "", false
}

// refuseGRPC answers with trailers only (gRPC over HTTP/2, "Responses"): they are in the headers of a 200.
func refuseGRPC(w http.ResponseWriter, media string, why *Refusal) {
	h := w.Header()
	refusalHeaders(h, why)
	h.Set("Content-Type", media)
	h.Set("Grpc-Status", grpcStatus[why.Status])
	h.Set("Grpc-Message", grpcText(why.Detail))
	w.WriteHeader(http.StatusOK)
}

// grpcText returns text as it may stand in a grpc-message.
func grpcText(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
