// Package assets holds what the dashboard's pages load: styles, scripts, a font. Each file has an address that changes
// with its content, so that browsers may keep it for ever.
package assets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed static vendor
var files embed.FS

// Prefix is where the files are served.
const Prefix = "/assets/"

// file is one file as it is sent.
type file struct {
	url, contentType string
	plain, zipped    []byte
}

// set is every file by its name and by its address.
type set struct{ byName, byURL map[string]*file }

var load = sync.OnceValue(func() set {
	s, err := read()
	if err != nil {
		panic(err) // the files are part of the program
	}
	return s
})

func read() (set, error) {
	s := set{map[string]*file{}, map[string]*file{}}
	// vendor first: the stylesheet names the font, whose address has to be known.
	for _, dir := range []string{"vendor", "static"} {
		if err := s.add(dir); err != nil {
			return s, fmt.Errorf("read assets: %w", err)
		}
	}
	return s, nil
}

func (s set) add(dir string) error {
	return fs.WalkDir(files, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		kind, ok := contentTypes[path.Ext(name)]
		if !ok {
			return nil // a license
		}
		f := &file{contentType: kind}
		if f.plain, err = files.ReadFile(name); err != nil {
			return err
		}
		if path.Ext(name) == ".css" {
			f.plain = bytes.ReplaceAll(f.plain, []byte(font), []byte(s.byName[font].url))
		}
		if path.Ext(name) != ".woff2" {
			if f.zipped, err = zip(f.plain); err != nil {
				return err
			}
		}
		sum := sha256.Sum256(f.plain)
		base := path.Base(name)
		ext := path.Ext(base)
		f.url = Prefix + strings.TrimSuffix(base, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		s.byName[base], s.byURL[f.url] = f, f
		return nil
	})
}

// font is the file that the stylesheet names.
const font = "inter.woff2"

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".woff2": "font/woff2",
}

func zip(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// URL is the address of a file, by its name. A name that does not exist is a mistake in a template, and panics.
func URL(name string) string {
	f, ok := load().byName[name]
	if !ok {
		panic("there is no asset " + name)
	}
	return f.url
}

// Serve sends the file at the request's path. It reports false, and sends nothing, when there is none.
func Serve(w http.ResponseWriter, r *http.Request) (bool, error) {
	f, ok := load().byURL[r.URL.Path]
	if !ok {
		return false, nil
	}
	body := f.plain
	h := w.Header()
	if f.zipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			body = f.zipped
		}
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(body)
	return true, err //nolint:wrapcheck // the client is gone, which the caller may want to log
}
