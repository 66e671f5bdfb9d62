package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// shot is one HTTP request, ready to be written to a connection again and again, and how to tell a good answer.
type shot struct {
	wire []byte
	want []byte // a successful body contains this
}

// newShot renders a POST of the JSON body to path, with the access token when there is one.
func newShot(host, path, token, body, want string) shot {
	var wire bytes.Buffer
	fmt.Fprintf(&wire, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n", path, host)
	fmt.Fprintf(&wire, "Content-Length: %d\r\n", len(body))
	if token != "" {
		fmt.Fprintf(&wire, "Authorization: Bearer %s\r\n", token)
	}
	wire.WriteString("\r\n" + body)
	return shot{wire: wire.Bytes(), want: []byte(want)}
}

// tally is what a load brought about.
type tally struct {
	good, bad int64
	elapsed   time.Duration
	firstBad  error
}

// perSecond is the throughput of good answers.
func (t tally) perSecond() float64 { return float64(t.good) / t.elapsed.Seconds() }

// fire keeps the given number of connections busy until the duration is over, with the requests in turn. It talks HTTP/1.1 over
// plain connections, because on two cores a full client would cost more than the servers that it measures.
func fire(ctx context.Context, address string, shots []shot, connections int, duration time.Duration) tally {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()

	var good, bad atomic.Int64
	var once sync.Once
	var firstBad error
	var wg sync.WaitGroup
	start := time.Now()
	for i := range connections {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := fireOne(ctx, address, shots, i*len(shots)/connections, &good)
				if err == nil || ctx.Err() != nil {
					continue
				}
				bad.Add(1)
				once.Do(func() { firstBad = err })
			}
		})
	}
	wg.Wait()
	return tally{good: good.Load(), bad: bad.Load(), elapsed: time.Since(start), firstBad: firstBad}
}

// fireOne sends over one connection, beginning with the given one of the requests, until the context ends or an answer is not the
// wanted one.
func fireOne(ctx context.Context, address string, shots []shot, first int, good *atomic.Int64) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	// The end of the load lets the last answers arrive; only one that never comes is an error.
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline.Add(10 * time.Second)); err != nil {
		return err
	}

	reader := bufio.NewReaderSize(conn, 8<<10)
	var body bytes.Buffer
	for i := first; ctx.Err() == nil; i++ {
		s := shots[i%len(shots)]
		if _, err := conn.Write(s.wire); err != nil {
			return err
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return err
		}
		body.Reset()
		_, err = io.Copy(&body, response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK || !bytes.Contains(body.Bytes(), s.want) {
			return fmt.Errorf("status %d: %.200s", response.StatusCode, body.Bytes())
		}
		good.Add(1)
	}
	return nil
}
