# make alone lists the targets.
.DEFAULT_GOAL := help
.SHELLFLAGS := -euc
.PHONY: help run build playground example-apollo example-urql test check format lint vet generated modules schema bench soak fuzz \
	update clean

# Each target sets up what it needs. What it cannot set up it names: $(call need,COMMAND,what to install).
need = command -v $(1) >/dev/null || { echo "$(1) is missing: install $(2)" >&2; exit 1; }
need_go = $(call need,go,Go 1.26.8 or newer (https://go.dev/dl))
need_npm = $(call need,npm,Node.js 20.19 or newer with npm (https://nodejs.org))

tool := go tool -modfile=tools/go.mod
with_postgres := go run ./internal/store/storetest/withpostgres
schemalint := tools/schemalint

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Start the server at http://localhost:8080, on a database file in this folder
	@./gatehouse

build: ## Build the binary ./gatehouse
	@$(need_go)
	@$(MAKE) -q --no-print-directory $(page) 2>/dev/null || if command -v npm >/dev/null; then \
		$(MAKE) --no-print-directory $(page) || echo 'the playground could not be built: / will be a plain page' >&2; \
	else \
		echo 'npm is missing, and the playground is not built anew without it: install Node.js 20.19 or newer with npm' >&2; \
	fi
	@go build -trimpath -ldflags='-s -w' -o gatehouse .

# The page that the binary embeds, which is there when all of its files are.
page := internal/web/playground/index.html.gz

playground: $(page) ## Build the playground, which make build and make run put into the binary

$(page): web/playground/node_modules/.package-lock.json \
		$(shell find web/* \( -name node_modules -o -name dist -o -name test \) -prune -o -type f -print)
	@$(need_npm)
	@npm --prefix web/playground run build --silent

example-apollo: ## Start the example app for React and Apollo Client, beside make run or VITE_GATEHOUSE_URL
example-urql: ## Start the example app for React and urql, likewise

# Where the app looks for Gatehouse. The server may also be started later.
expected := $(or $(VITE_GATEHOUSE_URL),http://localhost:8080)
nothing := Nothing answers there yet: run "make run" in another terminal, or set VITE_GATEHOUSE_URL to where your server is.

example-apollo example-urql: example-%: examples/react-%/node_modules/.package-lock.json
	@$(need_npm)
	@echo 'The app expects Gatehouse at $(expected).'
	@node -e 'fetch(process.argv[1] + "/healthz").catch(() => console.log(process.argv[2]))' '$(expected)' '$(nothing)'
	@npm --prefix examples/react-$* run --silent dev

test: ## Run every test with the race detector, on SQLite and on PostgreSQL
	@$(need_go)
	@$(call need,$$(go env CC),a C compiler such as gcc: the race detector is linked with it)
	@CGO_ENABLED=1 $(with_postgres) go test -race ./...
	@go test -run '^TestGraphQLAttacks$$' ./internal/server
	@go -C tools test -parallel 4 ./... # four, because they wait more than they compute

check: format lint vet generated modules schema ## Check formatting, linters, generated files, modules and the schema

format:
	@$(need_go)
	@unformatted=$$(find . -name node_modules -prune -o -name '*.go' -print | xargs $(tool) gofumpt -l); \
	[ -z "$$unformatted" ] || { printf 'not gofumpt-ed:\n%s\n' "$$unformatted" >&2; exit 1; }

lint:
	@$(need_go)
	@$(tool) golangci-lint run --show-stats=false ./...
	@go -C tools tool golangci-lint run --show-stats=false ./...

generated:
	@$(need_go)
	@cmp schema.graphqls graph/schema.graphqls || { echo 'graph/schema.graphqls is not current: run make update' >&2; exit 1; }
	@go run . access --lock | diff -u graph/access.lock - || { echo 'graph/access.lock is not current: run make update' >&2; exit 1; }
	@go run ./examples/notes access --lock | diff -u examples/notes/access.lock - || \
		{ echo 'examples/notes/access.lock is not current: run make update' >&2; exit 1; }
	@go test -run '^(TestREADMETable|TestCommonList|TestErrorsAreDocumented)$$' \
		./internal/settings ./internal/password ./internal/fault >/dev/null || \
		{ echo 'a generated file is not current: run make update' >&2; exit 1; }

vet:
	@$(need_go)
	@go vet ./...
	@go -C tools vet ./...
	@go -C examples/go vet ./...

modules:
	@$(need_go)
	@go mod tidy -diff
	@go -C tools mod tidy -diff
	@go -C examples/go mod tidy -diff

schema: $(schemalint)/node_modules/.package-lock.json
	@$(need_npm)
	@$(schemalint)/node_modules/.bin/eslint --config $(schemalint)/eslint.config.js --max-warnings 0 \
		schema.graphqls examples/notes/notes.graphqls operations
	@node --test --test-reporter=dot $(schemalint)/breaking.test.js
	@node $(schemalint)/breaking.js
	@node $(schemalint)/introspection.js
	@$(need_go)
	@node $(schemalint)/live.js

# What npm installs, with the file that npm leaves there last.
%/node_modules/.package-lock.json: %/package-lock.json
	@$(need_npm)
	@npm --prefix $* ci --silent
	@touch $@

bench: ## Run the benchmarks, printed as ratios
	@$(need_go)
	@go run ./bench

soak: ## Run the long proofs, or PROOF=TestName alone, and write docs/reliability.md
	@$(need_go)
	@$(with_postgres) go test -count=1 -timeout=6h -v ./soak -run '$(or $(PROOF),.)' \
		-soak.full -soak.report=$(CURDIR)/docs/reliability.md

fuzz: ## Fuzz every parser for FUZZTIME (10s)
	@$(need_go)
	@grep -ro --include='*_test.go' --exclude-dir=node_modules '^func Fuzz[A-Za-z0-9_]*' . | while IFS=: read -r file func; do \
		go test -run '^$$' -fuzz "^$${func#func }$$" -fuzztime $(or $(FUZZTIME),10s) "$$(dirname "$$file")"; \
	done

update: ## Write golden files and other generated files anew
	@$(need_go)
	@cp schema.graphqls graph/schema.graphqls
	@$(with_postgres) go test -count=1 $$(grep -rl --include='*_test.go' 'flag.Bool("update"' examples graph internal | xargs -n1 dirname | \
		sort -u | sed 's|^|./|') -update

clean: ## Remove what was built; databases and secrets stay
	@find $(dir $(page)) -mindepth 1 ! -name .gitignore -delete
	@find . -name node_modules -prune -exec rm -rf {} +
	@rm -rf gatehouse web/playground/dist
	@rm -rf examples/react-*/dist examples/react-*/src/gql
	@cd examples/codegen && rm -rf dist relay/__generated__ relay/persisted-documents.json schema.graphql src/gql
