# Thin verbs; what they do is in scripts/ and xtask/.
.DEFAULT_GOAL := help
.PHONY: help run stop logs up down up-local down-local demo setup examples test chaos soak test-function lint gen bench clean \
	cluster-up cluster-down kind-setup kind-clean docker-build deploy undeploy

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

run: ## build EventFlow and the examples, start it on 127.0.0.1:8080 and say what to try
	@scripts/run.sh start

stop: ## stop what `make run` started
	@scripts/run.sh stop

logs: ## follow the log of what `make run` started
	@scripts/run.sh logs

up: ## start compose.yaml, the cluster's shape with a container engine, on 127.0.0.1:8081
	@scripts/compose.sh up

down: ## stop what `make up` started; its data stays
	@scripts/compose.sh down

up-local: ## start the same as plain processes, without a container engine, on 127.0.0.1:8081
	@scripts/setup.sh test && scripts/local-stack.sh up

down-local: ## stop what `make up-local` started; its data stays
	@scripts/local-stack.sh down

demo: ## walk through the tour, on a server of its own
	@scripts/demo.sh

setup: ## install what the other verbs need
	@scripts/setup.sh test && scripts/tools.sh

examples: ## build the example functions
	@scripts/setup.sh run && scripts/examples.sh

test: ## run the tiers of tests but kube, soak, unguarded and postgres; the last line counts them
	@scripts/test.sh

chaos: ## do harm of all kinds for an hour under load, and count what was lost
	@EVENTFLOW_CHAOS=whole scripts/test.sh chaos unguarded

soak: ## what takes too long for every run: pods replaced under load, copies to zero, ten idle minutes of the operator
	@scripts/test.sh soak

test-function: ## apply, invoke, read and delete a function on the EventFlow at $EVENTFLOW_URL
	@scripts/test-function.sh

cluster-up: ## start a real Kubernetes of one node for tests, without Docker (MODE=all|control|api; all needs root)
	@scripts/setup.sh cluster && e2e/cluster/cluster.sh build >/dev/null && e2e/cluster/cluster.sh up $(MODE)

cluster-down: ## end it, and remove all that is left of it
	@e2e/cluster/cluster.sh down

kind-setup: ## EventFlow on kind: cluster, Secrets, Kubernetes Dashboard, images, deploy
	@scripts/kind.sh setup

kind-clean: ## remove kind's cluster with all that is in it
	@scripts/kind.sh clean

docker-build: ## build the images (IMAGE_PREFIX=registry.example/ IMAGE_TAG=dev)
	@scripts/kind.sh images

deploy: ## apply an overlay (OVERLAY=kind) to the current Kubernetes context
	@scripts/kind.sh deploy

undeploy: ## remove what it made; Secrets and volumes stay
	@scripts/kind.sh undeploy

lint: ## check format, lints, layering, generated code and the API's style
	@scripts/lint.sh

gen: ## generate what is committed from proto/
	@cargo xtask codegen

# Both in one build: built apart, they would have different features, and all they share would be built twice.
bench: ## measure side by side with what EventFlow is built on (ARGS=--quick: three minutes)
	@scripts/setup.sh bench && cargo build --release --locked --package eventflow-cli --package eventflow-wiring --package eventflow-bench && \
		"$${CARGO_TARGET_DIR:-target}"/release/eventflow-bench $(ARGS)

clean: ## remove what was built, but no data and no tools
	@cargo clean --quiet && rm -rf examples/target examples/*/*.wasm
