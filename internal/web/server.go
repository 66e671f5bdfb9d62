package web

import (
	"log/slog"
	"net/http"
	"time"
)

// The bounds on a connection: whoever is slower, or sends more, is cut off rather than waited for.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 15 * time.Second
	idleTimeout    = 60 * time.Second
	maxHeaderBytes = 16 << 10
)

// Server returns an http.Server for handler with Gatehouse's bounds set: 5 s for a request's header, 10 s for all of it,
// 15 s for the response, 60 s of idling, 16 KiB of header. What net/http itself has to say goes to logger as warnings.
func Server(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		// "OPTIONS *" too is answered by handler, so that every response carries a request id.
		DisableGeneralOptionsHandler: true,
	}
}
