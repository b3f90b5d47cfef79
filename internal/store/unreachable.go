package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	moderncsqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// unreachable reports whether an error says that the database is away, is starting or stopping, or has no room, so
// that the same call may succeed later.
func unreachable(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNREFUSED) ||
		errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		// Class 08 is connection trouble, 53 lack of resources, 57 operator intervention; 40 asks to run it again.
		switch class := pg.Code[:min(2, len(pg.Code))]; class {
		case "08", "53", "57", "40":
			return true
		}
		return false
	}
	if lite, ok := errors.AsType[*moderncsqlite.Error](err); ok {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
			return true
		}
		return false
	}
	// pgx reports a connection that broke in the middle of a statement as a plain error.
	return strings.Contains(err.Error(), "conn closed")
}

// conflicted reports whether the database gave a transaction up for the sake of another.
func conflicted(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && strings.HasPrefix(pg.Code, "40")
}
