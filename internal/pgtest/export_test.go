package pgtest

// Binaries is binaries, for tests of what it says on a machine without PostgreSQL.
var Binaries = binaries

// Running is a cluster of a test's own.
type Running struct{ cluster *cluster }

// Start starts a cluster beside the shared one.
func Start() (Running, error) {
	c, err := start()
	return Running{c}, err
}

// Stop ends it and removes its files.
func (r Running) Stop() error { return r.cluster.stop() }

// DSN names one of its databases.
func (r Running) DSN(database string) string { return r.cluster.dsn(database) }

// Dir is where its files are.
func (r Running) Dir() string { return r.cluster.dir.path }
