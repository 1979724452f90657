// Command notes is a small web application that keeps lines of text: in a PostgreSQL, or as files of a folder.
//
// STORE is `postgres` (with PGHOST, PGDATABASE, PGUSER and PASSWORD_FILE) or a folder. TITLE and PORT (8080) are what they say; BASE
// (/guestbook) is a path below which the same is served too, for an ingress that passes paths on as they are.
// GET / is a page, GET /notes the notes as JSON, oldest first, POST /notes (form field or body `text`) adds one, GET /healthz
// says whether the store answers.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	longestNote = 500
	mostNotes   = 1000
	askFor      = 5 * time.Second
)

// Note is one line of text, and who took it.
type Note struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"` // the pod that took it
	Text string    `json:"text"`
}

// Store keeps notes: when Add returns, the note outlives a crash.
type Store interface {
	Add(ctx context.Context, note Note) error
	All(ctx context.Context) ([]Note, error)
	Ready(ctx context.Context) error
}

func main() {
	title, port, by := env("TITLE", "Notes"), env("PORT", "8080"), env("POD", hostname())
	store, err := open(env("STORE", "/data"))
	if err != nil {
		log.Fatalf("the store cannot be opened: %v", err)
	}
	server := &http.Server{Addr: ":" + port, Handler: below(os.Getenv("BASE"), routes(store, title, by)), ReadHeaderTimeout: askFor}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	go func() {
		<-stop.Done()
		over, done := context.WithTimeout(context.Background(), askFor)
		defer done()
		_ = server.Shutdown(over)
	}()
	log.Printf("%s listens on port %s", title, port)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

// below serves the same at the root and at a path; links are relative, so the path itself is sent on to the one with a slash.
func below(base string, served http.Handler) http.Handler {
	if base == "" {
		return served
	}
	mux := http.NewServeMux()
	mux.Handle("/", served)
	mux.Handle(base+"/", http.StripPrefix(base, served))
	mux.Handle(base, http.RedirectHandler(base+"/", http.StatusFound))
	return mux
}

func routes(store Store, title, by string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		notes, err := all(r, store)
		if err != nil {
			fail(w, err)
			return
		}
		w.Header().Set("content-type", "text/html; charset=utf-8")
		_ = page.Execute(w, map[string]any{"Title": title, "Notes": notes, "By": by})
	})
	mux.HandleFunc("GET /notes", func(w http.ResponseWriter, r *http.Request) {
		notes, err := all(r, store)
		if err != nil {
			fail(w, err)
			return
		}
		w.Header().Set("content-type", "application/json")
		_ = json.NewEncoder(w).Encode(notes)
	})
	mux.HandleFunc("POST /notes", func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 4*longestNote)
		text, fromForm := r.FormValue("text"), true
		if text == "" {
			body, _ := io.ReadAll(r.Body)
			text, fromForm = string(body), false
		}
		text = strings.TrimSpace(text)
		if text == "" || len(text) > longestNote {
			http.Error(w, fmt.Sprintf("a note has 1 to %d bytes of text", longestNote), http.StatusBadRequest)
			return
		}
		ctx, done := context.WithTimeout(r.Context(), askFor)
		defer done()
		if err := store.Add(ctx, Note{At: time.Now().UTC(), By: by, Text: text}); err != nil {
			fail(w, err)
			return
		}
		if fromForm {
			w.Header().Set("location", "./")
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, done := context.WithTimeout(r.Context(), askFor)
		defer done()
		if err := store.Ready(ctx); err != nil {
			fail(w, err)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

func all(r *http.Request, store Store) ([]Note, error) {
	ctx, done := context.WithTimeout(r.Context(), askFor)
	defer done()
	return store.All(ctx)
}

func fail(w http.ResponseWriter, err error) {
	log.Print(err)
	http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
}

func open(store string) (Store, error) {
	if store != "postgres" {
		return folder(store), nil
	}
	password, err := os.ReadFile(os.Getenv("PASSWORD_FILE"))
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig("sslmode=disable connect_timeout=3") // the rest comes from PGHOST, PGUSER and PGDATABASE
	if err != nil {
		return nil, err
	}
	config.ConnConfig.Password = strings.TrimSpace(string(password))
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	return database{pool}, err
}

// folder keeps each note as a file, by time: written beside its place, flushed, then renamed.
type folder string

func (f folder) Add(_ context.Context, note Note) error {
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	name := fmt.Sprintf("%020d-%s", note.At.UnixNano(), hex.EncodeToString(id))
	part := filepath.Join(string(f), ".part-"+name)
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, filepath.Join(string(f), name+".json"))
}

func (f folder) All(context.Context) ([]Note, error) {
	names, err := filepath.Glob(filepath.Join(string(f), "[0-9]*.json"))
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	notes := []Note{}
	for _, name := range names[max(0, len(names)-mostNotes):] {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var note Note
		if err := json.Unmarshal(text, &note); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		notes = append(notes, note)
	}
	return notes, nil
}

func (f folder) Ready(context.Context) error {
	_, err := os.ReadDir(string(f))
	return err
}

type database struct{ pool *pgxpool.Pool }

const table = `create table if not exists note (id bigserial primary key, at timestamptz not null, by text not null, text text not null)`

func (d database) Add(ctx context.Context, note Note) error {
	if _, err := d.pool.Exec(ctx, table); err != nil {
		return err
	}
	_, err := d.pool.Exec(ctx, `insert into note (at, by, text) values ($1, $2, $3)`, note.At, note.By, note.Text)
	return err
}

func (d database) All(ctx context.Context) ([]Note, error) {
	if _, err := d.pool.Exec(ctx, table); err != nil {
		return nil, err
	}
	rows, err := d.pool.Query(ctx, `select at, by, text from (select * from note order by id desc limit $1) newest order by id`, mostNotes)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	notes := []Note{}
	for rows.Next() {
		var note Note
		if err := rows.Scan(&note.At, &note.By, &note.Text); err != nil {
			return nil, err
		}
		notes = append(notes, note)
	}
	return notes, rows.Err()
}

func (d database) Ready(ctx context.Context) error { return d.pool.Ping(ctx) }

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; color: #1d2330; background: #f6f7f9 }
  form { display: flex; gap: .5rem; margin: 1.5rem 0 } input { flex: 1 } input, button { font: inherit; padding: .5rem .75rem; border: 1px solid #c5cad3; border-radius: .4rem }
  button { background: #2f5bea; border-color: #2f5bea; color: #fff } li { background: #fff; border-radius: .4rem; margin: .4rem 0; padding: .5rem .75rem } ul { list-style: none; padding: 0 } small { color: #697386 }
</style>
<h1>{{.Title}}</h1>
<form method="post" action="notes"><input name="text" maxlength="500" required autofocus aria-label="A note"><button>Keep</button></form>
<ul>{{range .Notes}}<li>{{.Text}}<br><small>{{.At.Format "2006-01-02 15:04:05"}} by {{.By}}</small></li>{{else}}<li><small>Nothing is kept yet.</small></li>{{end}}</ul>
<small>answered by {{.By}}</small>
</html>
`))
