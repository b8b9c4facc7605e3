package proxies

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/postern-auth/postern/internal/proctest"
)

// TestGRPC has grpc-go's own client call its own server through both hosts, over HTTP/2 without TLS.
func TestGRPC(t *testing.T) {
	app := grpcApp(t)
	for host, start := range map[string]func(s *site, guarded, api, folder, app string){"sidecar": startSidecar, "caddy": startGuardedCaddy} {
		t.Run(host, func(t *testing.T) {
			folder, guarded, api := t.TempDir(), proctest.Free(t), proctest.Free(t)
			s := &site{T: t, api: "http://" + api + "/v1"}
			start(s, guarded, api, folder, app)
			s.makeAnn(folder + "/data/management.key")
			s.callGRPC(guarded)
		})
	}
}

// startSidecar puts a sidecar in front of the app.
func startSidecar(s *site, guarded, api, folder, app string) {
	config := fmt.Sprintf("upstream: h2c://%s\nlisten: %s\nh2c: true\napi_listen: %s\ndata: %s/data\n", app, guarded, api, folder)
	s.write(folder+"/postern.yaml", config)
	start(s.T, api, program(s.T, "POSTERN"), "serve", "--config", folder+"/postern.yaml")
}

// startGuardedCaddy puts a Caddy with the module in front of it.
func startGuardedCaddy(s *site, guarded, api, folder, app string) {
	config := fmt.Sprintf("{\n\tadmin off\n\tpostern {\n\t\tdata %s/data\n\t}\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n}\nhttp://%s {\n\tpostern_auth\n\treverse_proxy h2c://%s\n}\nhttp://%s {\n\tpostern_api\n}\n",
		folder, guarded, app, api)
	s.write(folder+"/Caddyfile", config)
	caddy := start(s.T, api, program(s.T, "CADDY"), "run", "--adapter", "caddyfile", "--config", folder+"/Caddyfile")
	if err := caddy.Await(func() bool { key, _ := os.ReadFile(folder + "/data/management.key"); return len(key) > 0 }); err != nil {
		s.Fatal(err)
	}
}

// write writes a file that only we may read.
func (s *site) write(path, text string) {
	s.Helper()
	if err := os.WriteFile(filepath.Clean(path), []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

// callGRPC calls as nobody, as ann, and as ann until she is signed out.
func (s *site) callGRPC(guarded string) {
	s.Helper()
	conn, err := grpc.NewClient("passthrough:///"+guarded, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	client := healthpb.NewHealthClient(conn)
	for _, token := range []string{"", "Bearer x.y.z"} {
		nobody := metadata.AppendToOutgoingContext(ctx, "authorization", token)
		if _, err := client.Check(nobody, &healthpb.HealthCheckRequest{}); status.Code(err) != codes.Unauthenticated {
			s.Errorf("a call with %q = %v; want Unauthenticated", token, err)
		}
		if stream, err := client.Watch(nobody, &healthpb.HealthCheckRequest{}); err != nil {
			s.Error(err)
		} else if _, err = stream.Recv(); status.Code(err) != codes.Unauthenticated {
			s.Errorf("a stream with %q = %v; want Unauthenticated", token, err)
		}
	}
	ann := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+s.token, "x-postern-username", "evil")
	var told metadata.MD
	if answer, err := client.Check(ann, &healthpb.HealthCheckRequest{}, grpc.Trailer(&told)); err != nil || answer.GetStatus() != healthpb.HealthCheckResponse_SERVING || strings.Join(told["told"], ",") != "ann" {
		s.Errorf("ann's call = %v, %v with trailer %v; want SERVING, and the app to be told ann", answer, err, told)
	}
	stream, err := client.Watch(ann, &healthpb.HealthCheckRequest{})
	if err != nil {
		s.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		s.Fatalf("ann's stream = %v; want a message", err)
	}
	s.signOut()
	if message, err := stream.Recv(); err == nil || ctx.Err() != nil {
		s.Errorf("ann's stream, once she is signed out = %v, %v; want it to end", message, err)
	}
}

// signOut ends all sessions of ann.
func (s *site) signOut() {
	s.Helper()
	s.call("DELETE", "/sessions?user_id="+s.call("GET", "/users/ann", nil)["id"].(string), nil)
}

// grpcApp is grpc-go's health service, which tells in a trailer who calls as the guard says.
func grpcApp(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		sent, _ := metadata.FromIncomingContext(ctx)
		_ = grpc.SetTrailer(ctx, metadata.MD{"told": append(sent["x-postern-username"], sent["authorization"]...)})
		return handle(ctx, request)
	}))
	healthpb.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return l.Addr().String()
}
