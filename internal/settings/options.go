package settings

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"gatehouse/internal/origin"
)

// Options makes kong read settings as Gatehouse does. Environment variables are the ones that env tags name, looked up with
// lookup, which works like os.LookupEnv; an empty variable counts as not set, since that is how compose files and unit files
// pass on what nobody chose. A flag wins over its variable.
func Options(lookup func(variable string) (string, bool)) []kong.Option {
	return []kong.Option{
		kong.PostBuild(func(k *kong.Kong) error {
			// Emptied, they keep kong from reading the process's own environment behind lookup's back.
			return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
				if flag, ok := node.(*kong.Flag); ok {
					flag.Tag.Envs, flag.Envs = nil, nil
				}
				return next(nil)
			})
		}),
		kong.Resolvers(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
			value, ok := lookup(variable(flag.Value))
			if !ok || value == "" {
				return nil, nil
			}
			return value, nil
		})),
		kong.ValueFormatter(func(value *kong.Value) string {
			if name := variable(value); name != "" {
				return value.Help + " (" + name + ")"
			}
			return value.Help
		}),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(decodeDuration)),
		kong.TypeMapper(reflect.TypeFor[netip.Prefix](), kong.MapperFunc(decodeNetwork)),
		kong.TypeMapper(reflect.TypeFor[origin.Origin](), kong.MapperFunc(decodeOrigin)),
	}
}

// variable returns the name of the environment variable that sets value; empty where none does.
func variable(value *kong.Value) string { return value.Tag.Get("env") }

func decodeDuration(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return fmt.Errorf("write a duration such as 10m: %w", err)
	}
	duration, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("write a duration such as 10m or 1h30m, not %q", text)
	}
	target.SetInt(int64(duration))
	return nil
}

// decodeNetwork reads a network, or a single address as the network of it alone.
func decodeNetwork(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("network", &text); err != nil {
		return fmt.Errorf("write networks such as 10.0.0.0/8: %w", err)
	}
	network, err := parseNetwork(strings.TrimSpace(text))
	if err != nil {
		return fmt.Errorf("write networks such as 10.0.0.0/8, separated by commas, not %q", text)
	}
	target.Set(reflect.ValueOf(network))
	return nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("settings: %w", err)
		}
		return address.Unmap().Prefix(address.Unmap().BitLen())
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("settings: %w", err)
	}
	if network.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("settings: write an IPv4 network in its own notation")
	}
	return network.Masked(), nil
}

func decodeOrigin(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("origin", &text); err != nil {
		return fmt.Errorf("write origins such as https://app.example.com: %w", err)
	}
	parsed, err := origin.Parse(strings.TrimSpace(text))
	if err != nil {
		return fmt.Errorf("write origins separated by commas, not %q: %w", text, err)
	}
	target.Set(reflect.ValueOf(parsed))
	return nil
}
