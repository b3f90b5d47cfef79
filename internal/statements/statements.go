// Package statements keeps the prepared statements of a database connection, so that a statement is parsed once and not
// each time it is run.
package statements

import (
	"container/list"
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
)

// Conn is a driver's connection whose statements can be kept.
type Conn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// Rows are what its statements give.
type Rows interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// Connector opens connections that keep their statements.
type Connector struct {
	driver driver.Driver
	name   string
	limit  int
}

var _ driver.Connector = (*Connector)(nil)

// NewConnector opens connections to name by a driver whose connections are a Conn. Each keeps up to limit statements, those
// that were used last.
func NewConnector(d driver.Driver, name string, limit int) *Connector {
	return &Connector{driver: d, name: name, limit: max(1, limit)}
}

// Driver is the one that connections are opened by.
func (c *Connector) Driver() driver.Driver { return c.driver }

// Connect opens a connection. Drivers that take a context only in their statements are not asked to end early.
func (c *Connector) Connect(context.Context) (driver.Conn, error) {
	opened, err := c.driver.Open(c.name)
	if err != nil {
		return nil, err //nolint:wrapcheck // database/sql looks at the driver's own errors
	}
	inner, ok := opened.(Conn)
	if !ok {
		return nil, fmt.Errorf("keep statements of %T: it lacks methods: %w", opened, opened.Close())
	}
	return &conn{Conn: inner, limit: c.limit, kept: make(map[string]*list.Element), used: list.New()}, nil
}

// conn runs statements that it has kept. database/sql gives it to one goroutine at a time.
type conn struct {
	Conn

	limit int
	kept  map[string]*list.Element
	// used holds *statement, the one used last in front.
	used *list.List
}

// prepared is what a kept statement must be.
type prepared interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type statement struct {
	query string
	prepared
	// busy: its rows are being read, so that it cannot run again yet.
	busy bool
}

// ExecContext runs a kept statement, or one that is worth keeping.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.Conn.ExecContext(ctx, query, args) //nolint:wrapcheck // database/sql looks at the driver's own errors
	}
	return s.ExecContext(ctx, args) //nolint:wrapcheck // as above
}

// QueryContext does the same for statements that give rows. A statement whose rows are still being read is parsed again.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.Conn.QueryContext(ctx, query, args) //nolint:wrapcheck // as above
	}
	got, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	inner, ok := got.(Rows)
	if !ok {
		return nil, fmt.Errorf("keep statements: %T lacks methods: %w", got, got.Close())
	}
	s.busy = true
	return &rows{Rows: inner, of: s}, nil
}

// Close lets all statements go.
func (c *conn) Close() error {
	for c.used.Len() > 0 {
		c.drop(c.used.Back())
	}
	return c.Conn.Close() //nolint:wrapcheck // as above
}

// statement gives a kept statement that is free, or nil for one that is not to be kept.
func (c *conn) statement(ctx context.Context, query string) (*statement, error) {
	if e := c.kept[query]; e != nil {
		c.used.MoveToFront(e)
		if s := e.Value.(*statement); !s.busy {
			return s, nil
		}
		return nil, nil
	}
	if !reads(query) {
		return nil, nil
	}
	got, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	p, ok := got.(prepared)
	if !ok {
		return nil, fmt.Errorf("keep statements: %T lacks methods: %w", got, got.Close())
	}
	c.makeRoom()
	s := &statement{query: query, prepared: p}
	c.kept[query] = c.used.PushFront(s)
	return s, nil
}

// reads reports whether a statement reads or writes rows: those come again. What changes the database itself does not.
func reads(query string) bool {
	for _, word := range []string{"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"} {
		if len(query) > len(word) && strings.EqualFold(query[:len(word)], word) {
			return true
		}
	}
	return false
}

// makeRoom lets the statement go that was used longest ago and is not busy.
func (c *conn) makeRoom() {
	for e := c.used.Back(); e != nil && c.used.Len() >= c.limit; {
		older := e
		e = e.Prev()
		if !older.Value.(*statement).busy {
			c.drop(older)
		}
	}
}

func (c *conn) drop(e *list.Element) {
	s := c.used.Remove(e).(*statement)
	delete(c.kept, s.query)
	_ = s.Close() //nolint:errcheck // what its last run had to say was said then
}

// rows free their statement at their end.
type rows struct {
	Rows

	of *statement
}

var _ io.Closer = (*rows)(nil)

// Close ends the reading.
func (r *rows) Close() error {
	r.of.busy = false
	return r.Rows.Close() //nolint:wrapcheck // as above
}
