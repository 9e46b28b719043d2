# Thin names for scripts and cargo commands; `make help` lists them.

.DEFAULT_GOAL := help
.PHONY: help demo test bench model campaign soak fuzz deny cluster cluster-down crd manifests image

# In the profile and with the features of the tests, so that nothing is built twice.
PLAYGROUND := $(or $(CARGO_TARGET_DIR),target)/debug/playground

# Tests that run a control plane mostly wait, so there may be more of them than cores.
TEST_THREADS := $(shell cores=$$(nproc); echo $$((cores > 4 ? cores : 4)))

# What cargo can do only with a tool of its own, unless that is on PATH.
TOOLS := $(or $(CARGO_TARGET_DIR),target)/tools
RUN_TOOLS := PATH="$(abspath $(TOOLS))/bin:$$PATH"

TARGET := envelope
SECONDS := 60
FUZZED := $(or $(CARGO_TARGET_DIR),target)/fuzz

help: ## list what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 15

demo: programs release ## tell the operator's whole story on this machine, in about a minute (KEEP=1 leaves it up)
	@$(PLAYGROUND) demo --operator $(or $(CARGO_TARGET_DIR),target)/image/files/cloudflare-sso-operator

test: parts image playground ## run every test (KUBERNETES=1.34.4 or another version of tests/control-plane/ chooses the control plane)
	cargo test --workspace --locked -- --test-threads=$(TEST_THREADS)

bench: programs release ## measure what the operator costs, in about half an hour (SCENES=latency,fairness and POPULATIONS=100x10 choose)
	cargo run --profile measure --quiet --locked --package bench -- --operator $(or $(CARGO_TARGET_DIR),target)/image/files/cloudflare-sso-operator \
	  --json $(or $(CARGO_TARGET_DIR),target)/bench.json $(if $(POPULATIONS),--populations $(POPULATIONS)) $(if $(SCENES),--scenes $(SCENES))

model: ## visit every universe that DISTURBANCES=2 disturbances lead to, in every scene
	DISTURBANCES=$(or $(DISTURBANCES),2) cargo test --locked --test model scenes:: -- --nocapture

campaign: ## play random sequences of edits, deletions and changes made by others (SEEDS=100, from FIRST=0 on)
	@tests/control-plane/build >/dev/null
	CAMPAIGN_SEEDS=$(or $(SEEDS),100) CAMPAIGN_FIRST_SEED=$(or $(FIRST),0) cargo test --locked --test reliability random_sequences -- --nocapture

soak: ## let objects come and go, and see that what the operator holds stays flat (MINUTES=60)
	@tests/control-plane/build >/dev/null
	SOAK_MINUTES=$(or $(MINUTES),60) cargo test --locked --test reliability stays_flat -- --nocapture

cluster: programs playground image ## start a cluster that runs the operator's image, and a simulated Cloudflare, to play with
	@tests/control-plane/build helm4 >/dev/null
	@$(PLAYGROUND) cluster

cluster-down: playground ## end it
	@$(PLAYGROUND) down

crd: ## write crds/ from the Rust types
	cargo run --quiet --locked -- crd > crds/.new
	mv crds/.new crds/ssoconnectors.cloudflare-sso.dev.yaml

manifests: ## write deploy/install.yaml from the chart
	.ci/manifests > deploy/.new
	mv deploy/.new deploy/install.yaml

image: ## build the image into an OCI archive, without a container engine
	@echo 'building the image (about 3 minutes the first time) …' >&2
	@.ci/image

fuzz: ## let libFuzzer look for bytes that break a parser (TARGET=envelope chooses one of tests/fuzz/targets/, SECONDS=60 how long)
	@command -v cargo-fuzz >/dev/null || cargo install --quiet --locked --root $(TOOLS) cargo-fuzz@0.13.2
	@mkdir -p $(FUZZED)/corpus/$(TARGET) $(FUZZED)/artifacts/$(TARGET)
	$(RUN_TOOLS) CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_STRIP=none cargo fuzz run --fuzz-dir tests/fuzz \
	  --target-dir $(FUZZED) --sanitizer none --features libfuzzer $(TARGET) $(FUZZED)/corpus/$(TARGET) tests/fuzz/corpus/$(TARGET) \
	  -- -artifact_prefix=$(FUZZED)/artifacts/$(TARGET)/ -max_total_time=$(SECONDS) -max_len=8192

deny: ## hold licences, sources, crates and advisories to deny.toml (builds cargo-deny the first time; advisories need the network)
	@command -v cargo-deny >/dev/null || cargo install --quiet --locked --root $(TOOLS) cargo-deny@0.20.2
	$(RUN_TOOLS) cargo deny --workspace --locked check

.PHONY: programs parts release playground

programs:
	@tests/control-plane/build >/dev/null

parts:
	@tests/control-plane/build control-plane helm3 helm4 argo-cd redis prometheus buildah knot >/dev/null

# As it is in the image, so that it is built once.
release: playground
	@echo 'building the operator (about 3 minutes the first time) …' >&2
	@.ci/image-files $(or $(CARGO_TARGET_DIR),target)/image/files

playground:
	@echo 'building the playground (cargo build, about 3 minutes the first time) …' >&2
	@cargo build --locked --workspace --bins
