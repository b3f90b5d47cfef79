package embedded

import "log/slog"

// UIOff is the UIAddr of a server without web UI.
const UIOff = "off"

// Config of an embedded server.
type Config struct {
	// DataDir holds Temporal's SQLite files in a subdirectory; it is created with mode 0700. Required unless PostgresDSN is
	// set. One process at a time may use it.
	DataDir string
	// PostgresDSN, a postgres:// URL, keeps everything in PostgreSQL instead of DataDir: in the database it names and in
	// one beside it, whose name ends in _visibility. Both are created when missing. It makes the server a stand-in for a
	// real cluster in tests; it is not meant for production.
	PostgresDSN string
	// FrontendAddr is the host:port for clients; port 0 means any free one. Required. Temporal's inner services listen on
	// free ports of 127.0.0.1.
	FrontendAddr string
	// UIAddr is the host:port of the web UI; port 0 means any free one, "off" or empty means no UI.
	UIAddr string
	// UICodecEndpoint is where the web UI has payloads decrypted; empty when they are not encrypted.
	UICodecEndpoint string
	// Namespace is created when missing, with seven days of retention and Busbar's search attributes. Required.
	Namespace string
	// Synchronous is SQLite's setting for Temporal's files: NORMAL (default) or FULL. At NORMAL a power cut may take the
	// last moments of workflow history with it; the application's own rows, at FULL, start those workflows again.
	Synchronous string
	// Logger takes the server's messages from LogLevel up. Required.
	Logger *slog.Logger
	// LogLevel is the least level passed on; the default is warnings. The server is talkative below that.
	LogLevel slog.Leveler
}
