package tokentest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"gatehouse/internal/fault"
)

// patience bounds one Present, unless its context does sooner.
const patience = 10 * time.Second

// question is what a caller who is somebody gets an answer to.
const question = `{"query":"{ me { id } }"}`

// Present asks the GraphQL endpoint at an http URL who the caller is, with the attack's headers and query, and returns an
// error unless the answer is the one wanted. A server that will not read the request, whatever it says, has rejected it.
//
// The attack is written to the connection as it is: an HTTP client would refuse to send half of them.
func (a Attack) Present(ctx context.Context, endpoint string) error {
	if a.Want == RefuseToStart {
		return errors.New("tokentest: this attack is not a request: start a server with its JWTSecret")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	status, body, err := a.exchange(ctx, endpoint)
	if err != nil {
		return err
	}
	var answer struct {
		Data *struct {
			Me *struct {
				ID string `json:"id"`
			} `json:"me"`
		} `json:"data"`
		Errors []struct {
			Extensions struct {
				Code   fault.Code   `json:"code"`
				Reason fault.Reason `json:"reason"`
			} `json:"extensions"`
		} `json:"errors"`
	}
	// What a server answers below GraphQL need not be JSON; then there is neither data nor a code to look at.
	isJSON := json.Unmarshal(body, &answer) == nil
	served := answer.Data != nil && answer.Data.Me != nil

	switch {
	case a.Want == Accept && served && answer.Data.Me.ID == a.account:
		return nil
	case a.Want == Accept:
		return fmt.Errorf("tokentest: refused with %d %s, want the caller %s", status, body, a.account)
	case served:
		return fmt.Errorf("tokentest: accepted: the server answered %s", body)
	case isJSON && len(answer.Errors) > 0 && answer.Errors[0].Extensions.Code == fault.Unauthenticated:
		if got := answer.Errors[0].Extensions.Reason; got != a.Reason {
			return fmt.Errorf("tokentest: refused for the reason %q, want %q", got, a.Reason)
		}
		return nil
	case status == hungUp, status == http.StatusBadRequest, status == http.StatusRequestHeaderFieldsTooLarge:
		return nil
	}
	return fmt.Errorf("tokentest: neither accepted nor refused: the server answered %d %s", status, body)
}

// hungUp stands for the status of a server that closed the connection without an answer.
const hungUp = 0

// exchange sends the request in HTTP/1.1 and returns what was answered.
func (a Attack) exchange(ctx context.Context, endpoint string) (status int, body []byte, err error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return 0, nil, fmt.Errorf("tokentest: %w", err)
	}
	target.RawQuery = a.Query
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", target.Host)
	if err != nil {
		return 0, nil, fmt.Errorf("tokentest: %w", err)
	}
	deadline, _ := ctx.Deadline() // Present has set one
	if err := conn.SetDeadline(deadline); err != nil {
		return 0, nil, errors.Join(err, conn.Close())
	}

	// While the request is still being written, the server may answer that it has read enough.
	written := make(chan struct{})
	go func() {
		defer close(written)
		// A server that has hung up is an outcome; whether it has shows in what it answered.
		_ = a.write(conn, target)
	}()
	status, body = read(conn)
	err = conn.Close()
	<-written
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return 0, nil, errors.New("tokentest: the server did not answer in time")
	}
	return status, body, err
}

func (a Attack) write(conn io.Writer, target *url.URL) error {
	w := bufio.NewWriter(conn)
	fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", target.RequestURI(), target.Host)
	fmt.Fprintf(w, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(question))
	for name, values := range a.Header {
		for _, value := range values {
			fmt.Fprintf(w, "%s: %s\r\n", name, value)
		}
	}
	fmt.Fprintf(w, "\r\n%s", question)
	return w.Flush() // and with it the first error of all the above
}

// read returns the answer, or hungUp when there is none.
func read(conn io.Reader) (status int, body []byte) {
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return hungUp, nil
	}
	defer func() { _ = response.Body.Close() }() // which closes nothing: the connection is closed by whoever opened it
	body, err = io.ReadAll(response.Body)
	if err != nil {
		return hungUp, nil
	}
	return response.StatusCode, body
}
