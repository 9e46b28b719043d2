# Thin names for scripts and cargo commands; `make help` lists them.

.DEFAULT_GOAL := help
.PHONY: help demo test cluster cluster-down crd

PLAYGROUND := cargo run --quiet --release --locked --package harness --bin playground --

help: ## list what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 15

demo: programs release ## tell the operator's whole story on this machine, in about a minute (KEEP=1 leaves it up)
	@$(PLAYGROUND) demo --operator target/release/cloudflare-sso-operator

test: programs ## run every test
	cargo test --workspace --locked

cluster: programs playground ## start a control plane and a simulated Cloudflare to play with
	@$(PLAYGROUND) cluster

cluster-down: playground ## end it
	@$(PLAYGROUND) down

crd: ## write crds/ from the Rust types
	cargo run --quiet --locked -- crd > target/crd.yaml
	mv target/crd.yaml crds/ssoconnectors.cloudflare-sso.dev.yaml

.PHONY: programs release playground

programs:
	@tests/control-plane/build >/dev/null

release: playground
	@echo 'building the operator (cargo build --release) …' >&2
	@cargo build --release --locked

playground:
	@echo 'building the playground (cargo build --release) …' >&2
	@cargo build --release --locked --package harness --bin playground
