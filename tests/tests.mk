# How it is tested, fuzzed, read and measured; a part of the Makefile.

CMOCKA_LIBS = $(shell pkg-config --libs cmocka)

UNITS   := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c)))
DRIVERS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/*.c)))
# What units and fuzz targets link with, as far as they need it: all there is, but what takes a readline.
EVERYTHING := $(BUILD)/everything.a
# How much slower the programs are: limits of time stretch with it. SLOW=N, also from the environment, says
# it for the machine and all: tests/run.py, which makes it from this and from what runs side by side.
FACTOR := $(if $(SANITIZE),4,$(if $(COVERAGE),2,1))
LOAD   ?= 0
# The tests' environment, and what runs them. JOBS=N files at a time, beside LOAD other busy programs; BATSFLAGS
# for bats; RUNFLAGS for what runs it, such as --times.
RUN = env BUILD=$(abspath $(BUILD)) $(if $(SLOW),SLOW=$(SLOW)) python3 -B tests/run.py -n $(FACTOR) \
	$(if $(JOBS),-j $(JOBS)) -l $(LOAD) $(RUNFLAGS) $(patsubst %,--bats=%,$(BATSFLAGS))

.PHONY: deps
deps: ## install what demo and check need, and nothing else
	@tests/deps.sh build check

# Two steps, since what the first installs the second needs to know.
.PHONY: check check-run
check: deps ## build and run every test
	@$(MAKE) --no-print-directory check-run

# badinput once more through a relay: what a client may say wrong, and the answers must be the same.
# What looks at the plain programs alone, or at none, is not run once more under sanitizers.
ONCE  := $(if $(SANITIZE)$(COVERAGE),$(patsubst %,tests/%.bats,house protocol units bundle run install readme))
TESTS = $(or $(FILES),$(UNITS) $(filter-out $(ONCE),$(wildcard tests/*.bats)) THROUGH=relay:tests/badinput.bats)

.PHONY: check-built
check-built: all $(UNITS) $(DRIVERS) plain

check-run: check-built
	@$(RUN) $(TESTS)

# The tests TIMES times, beside LOAD busy loops; $(BUILD)/again keeps the output of runs that failed.
TIMES ?= 10

.PHONY: check-again check-again-run
check-again: deps ## run them TIMES=10 times, beside LOAD=0 busy loops
	@$(MAKE) --no-print-directory check-again-run

check-again-run: check-built
	@python3 -B tests/again.py $(TIMES) $(LOAD) $(BUILD)/again $(RUN) $(TESTS)

# Some tests look at the plain programs, whatever flavour is tested; files run side by side, so these
# are there before.
.PHONY: plain
ifeq ($(BUILD),build)
plain: all $(BUNDLE)
	@:
else
plain:
	@$(MAKE) --no-print-directory SANITIZE= DEBUG= STATIC= FUZZ= COVERAGE= plain
endif

# The reference SDK as a client of ours: about 90 MB from npm, so a target of its own.
.PHONY: check-interop check-interop-run
check-interop: ## the reference SDK as a client: about 90 MB from npm
	@tests/deps.sh build interop
	@$(MAKE) --no-print-directory check-interop-run

check-interop-run: all
	@SLOW=$(or $(SLOW),$(FACTOR)) tests/interop/run.sh $(BUILD)

# The daemon in a machine of QEMU's, behind msb-relayd: tests/vm. The kernel is Debian's, unpacked
# in build/vm; what is not busybox in the guest comes from here, with its libraries.
VM_IMAGE    := $(BUILD)/vm/guest.cpio
VM_PROGRAMS := bash cksum pgrep ps nohup

.PHONY: check-vm check-vm-built check-vm-run
ifeq ($(shell uname -m),x86_64)
check-vm: ## the daemon in machines of QEMU's
	@tests/deps.sh build check vm
	@$(MAKE) --no-print-directory check-vm-run

check-vm-built: all $(DRIVERS) $(VM_IMAGE)

check-vm-run: check-vm-built
	@LOAD=$(LOAD) tests/vm/run.sh $(BUILD) $(patsubst %,--bats=%,$(BATSFLAGS)) $(FILES)
else
check-vm:
	@echo 'ok 1 a machine of $(shell uname -m) # skip the tests know those of x86_64 alone'

check-vm-built:
endif

$(VM_IMAGE): tests/vm/image.sh $(BUNDLE) $(BUILD)/msb-exec build/vm/vmlinuz
	@mkdir -p $(@D)
	$(call run,IMG ,tests/vm/image.sh build/vm $(BUNDLE) $@ \
		$(VM_PROGRAMS) $(abspath $(BUILD)/msb-exec))

build/vm/vmlinuz: | tests/vm/kernel.sh
	$(call run,GET ,tests/vm/kernel.sh build/vm)

# A test or fuzz target says in a line WRAP: which functions its own stand in for.
WRAPPING = $(patsubst %,-Wl$(comma)--wrap=%,$(shell sed -n 's:^/\* WRAP\: \(.*\) \*/:\1:p' $<))

$(EVERYTHING): $(SHARED) $(DAEMON) $(CLI) $(filter-out %/prompt.o,$(CONSOLE))
	@rm -f $@
	$(call run,AR  ,ar qcs $@ $^)

$(BUILD)/tests/%: tests/unit/%.c $(EVERYTHING)
	@mkdir -p $(@D)
	$(call run,TEST,$(COMPILE) -o $@ $< $(LINKING) $(EVERYTHING) $(WRAPPING) $(LDFLAGS) $(CBOR_LIBS) \
		$(CMOCKA_LIBS))

$(BUILD)/tests/%: tests/%.c $(SHARED)
	@mkdir -p $(@D)
	$(call run,TEST,$(COMPILE) -o $@ $< $(LINKING) $(SHARED) $(LDFLAGS) $(CBOR_LIBS) -lutil)

# ---- coverage ----

# How many lines of each room the tests run. What is not run, and why, is in tests/coverage/uncovered.txt. Every
# user that a test becomes adds to the same files of counts: they are there before, for everybody.
.PHONY: coverage coverage-run coverage-report-run
coverage: ## how much of the code the tests run, and whether that is enough
	@tests/deps.sh build check
	@$(MAKE) --no-print-directory COVERAGE=1 coverage-run

coverage-run: check-built
	@find $(BUILD) -name '*.gcda' -delete
	@find $(BUILD) -name '*.gcno' | sed 's/gcno$$/gcda/' | xargs touch
	@find $(BUILD) -name '*.gcda' -exec chmod 666 {} +
	@GCOV_ERROR_FILE=/dev/null $(RUN) $(TESTS); status=$$?; \
		$(MAKE) --no-print-directory coverage-report-run || exit; exit $$status

# Once more of what was counted last.
coverage-report-run:
	@python3 -B tests/coverage/report.py build/coverage tests/coverage/uncovered.txt

ifdef COVERAGE
$(PROGRAMS): $(BUILD)/tests/coverage/flush.o
$(PROGRAMS): LINKING += $(patsubst %,-Wl$(comma)--wrap=%,_exit raise __gcov_execve)
endif

# The unit tests and the programs under valgrind; UNITS_SEEN=build/tests/test_x: of the unit tests only that one.
.PHONY: valgrind valgrind-run
valgrind: ## unit tests and programs under valgrind
	@tests/deps.sh build check valgrind
	@$(MAKE) --no-print-directory valgrind-run

valgrind-run: check-built
	@SLOW=$(or $(SLOW),$(FACTOR)) tests/valgrind.sh $(BUILD) $(UNITS_SEEN)

# What a session takes of instructions, beside what was recorded in tests/instructions.txt; RECORD=1 writes that
# file anew, TOP=N names the functions that take most. The table for the report is in build/bench.
.PHONY: instructions instructions-run
instructions: ## what a session takes of them; RECORD=1 records it
	@tests/deps.sh build instructions
	@$(MAKE) --no-print-directory instructions-run

instructions-run: all
	@SLOW=$(or $(SLOW),$(FACTOR)) python3 -B tests/bench/instructions.py $(BUILD) \
		$(if $(RECORD),--record) $(if $(TOP),--top $(TOP))

# ---- fuzz and soak ----

# Seconds of processor time for each target, and how many run side by side; what they find is under
# build/fuzz/found, what they have learnt beside it. tests/fuzz/found holds what was found and mended.
FUZZ_SECONDS ?= 60
FUZZ_JOBS    ?= 1
FUZZERS      := $(patsubst tests/fuzz/%.c,$(BUILD)/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

.PHONY: fuzz fuzz-run
fuzz: ## feed it anything, FUZZ_SECONDS=60, FUZZ_JOBS=1 at a time
	@tests/deps.sh build fuzz
	@$(MAKE) --no-print-directory FUZZ=1 fuzz-run

fuzz-run: $(FUZZERS)
	@python3 -B tests/fuzz/run.py $(FUZZ_SECONDS) $(FUZZ_JOBS) build/fuzz $(FUZZERS)

$(BUILD)/fuzz_%: tests/fuzz/fuzz_%.c $(EVERYTHING)
	@mkdir -p $(@D)
	$(call run,FUZZ,$(COMPILE) -Itests/fuzz -fsanitize=fuzzer -o $@ $< $(LINKING) $(EVERYTHING) \
		$(WRAPPING) $(LDFLAGS) $(CBOR_LIBS))

# A daemon, a relay and many clients for so long, SANITIZE=1 with the sanitizers; SEED=N for the same again, and
# ROUND=N for that round alone. DEATHS=N: how many clients die suddenly, at first or, of deaths, in all.
SOAK_SECONDS ?= 300
SOAK_CLOCK   := $(BUILD)/soak/clock.so
SOAK         = SLOW=$(or $(SLOW),$(FACTOR)) $(if $(DEATHS),DEATHS=$(DEATHS))

$(SOAK_CLOCK): tests/soak/clock.c
	@mkdir -p $(@D)
	$(call run,SO  ,$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -fPIC -shared -o $@ $<)

.PHONY: soak soak-run deaths deaths-run
soak: ## a daemon, a relay and many clients for SOAK_SECONDS=300
	@tests/deps.sh build soak
	@$(MAKE) --no-print-directory soak-run

soak-run: all $(SOAK_CLOCK)
	@$(SOAK) timeout $$(($(SOAK_SECONDS) * 2 + 1200)) python3 -B tests/soak/soak.py $(SOAK_SECONDS) $(BUILD) $(SEED)

deaths: ## clients that die suddenly, DEATHS=10000
	@tests/deps.sh build soak
	@$(MAKE) --no-print-directory deaths-run

deaths-run: all $(SOAK_CLOCK)
	@$(SOAK) python3 -B tests/soak/deaths.py $(or $(DEATHS),10000) $(BUILD) $(SEED)

# ---- faults ----

# One call of the libc after the other fails, in each of our programs: tests/faults. All cases, which takes an
# hour or two, or for FAULTS_SECONDS a sample that SEED=N picks; CASES=... for those alone.
FAULTS_SECONDS ?=

$(BUILD)/faults.so: tests/faults/faults.c
	@mkdir -p $(@D)
	$(call run,LIB ,$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -g -fno-builtin -fPIC -shared -o $@ $<)

.PHONY: faults faults-run
faults: ## fail each call of libc, or for FAULTS_SECONDS some
	@tests/deps.sh build faults
	@$(MAKE) --no-print-directory faults-run

faults-run: all $(BUILD)/faults.so
	@SLOW=$(or $(SLOW),$(FACTOR)) python3 -B tests/faults/run.py $(BUILD) \
		$(if $(FAULTS_SECONDS),--seconds $(FAULTS_SECONDS)) $(if $(SEED),--seed $(SEED)) $(CASES)

# ---- lint ----

# Every file with musl-gcc, and what is missing to link them: its own folder, so that no other compiler's
# objects are in it.
.PHONY: check-static check-static-run compiled
check-static: ## compile every file with musl-gcc, and link if that can be
	@tests/deps.sh build static
	@$(MAKE) --no-print-directory check-static-run

check-static-run:
	@CC=musl-gcc tests/static.sh $(MAKE) --no-print-directory STATIC=1 CC=musl-gcc BUILD=build/musl

compiled: $(CLI) $(CONSOLE) $(DAEMON) $(SHARED)

C_FILES   = $(shell find shared daemon cli tests -name '*.[ch]')
SH_FILES  = $(wildcard daemon/bundle/*.sh tests/*.sh tests/*.bash tests/*.bats tests/interop/*.sh tests/examples/*.sh \
	tests/vm/*.sh tests/vm/*.bash tests/vm/*.bats) completions/msb-exec.bash .ci/run
HEADERS   = $(shell find shared daemon cli -name '*.h')
MANUALS   = $(wildcard cli/*.1 daemon/*.8)
PROCESSORS = $(shell nproc)

.PHONY: lint lint-run
lint: ## have the code, the scripts and the manuals read
	@tests/deps.sh build check lint analyze static
	@$(MAKE) --no-print-directory lint-run

lint-run: check-static-run analyze-run
	@clang-format --dry-run -Werror $(C_FILES)
	@printf '%s\n' $(SH_FILES) | xargs -P $(PROCESSORS) -n 8 shellcheck
	mandoc -Tlint -Wwarning $(MANUALS)
	@for header in $(HEADERS); do \
		printf '#include "%s"\n' "$(CURDIR)/$$header" | $(CC) -std=gnu17 -D_GNU_SOURCE -iquote . \
			$(CBOR_CFLAGS) -Wall -Wextra -Werror -fsyntax-only -xc - || exit 1; \
	done
	@printf '%s\n' $(patsubst $(BUILD)/%.o,%.c,$(SHARED) $(DAEMON) $(CLI) $(CONSOLE)) | xargs -P $(PROCESSORS) -n 4 sh -c \
		'clang-tidy --quiet "$$@" -- -std=gnu17 -D_GNU_SOURCE -iquote . $(CBOR_CFLAGS)' clang-tidy

# What clang-tidy is to lint, of others: gcc's analyzer and cppcheck. Where they are wrong a comment beside the line
# says why: "-fanalyzer: " (tests/analyze.py) or "cppcheck-suppress".
.PHONY: analyze analyze-run
analyze: ## have gcc's analyzer and cppcheck read the code; lint does too
	@tests/deps.sh build analyze
	@$(MAKE) --no-print-directory analyze-run

analyze-run:
	@cppcheck --quiet -j $(PROCESSORS) --error-exitcode=1 --enable=warning,performance,portability \
		--inline-suppr --std=c11 -D_GNU_SOURCE -I . shared daemon cli
	@python3 -B tests/analyze.py gcc -std=gnu17 -D_GNU_SOURCE -iquote . $(CBOR_CFLAGS) '-DLOADER_OPTIONS=' -- \
		$(filter-out tests/%,$(filter %.c,$(C_FILES)))

# ---- bench ----

# Beside what people use today, in one run; rivals that are missing are installed if they can be.
# tests/bench/bench.py says which variables scale it. OUT=DIR: where the tables and the chart go. ROUNDS=N: all of
# it so often, and of each figure the median and the range.
BENCH_TOOLS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))

$(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(call run,BENCH,$(COMPILE) -o $@ $< $(LINKING) $(LDFLAGS) -lutil)

.PHONY: bench bench-run
bench: ## measure it beside its rivals, ROUNDS=N times; OUT=DIR: tables
	@tests/deps.sh build bench
	@$(MAKE) --no-print-directory bench-run

bench-run: all $(BENCH_TOOLS)
	@BENCH_ROUNDS=$(or $(ROUNDS),$(BENCH_ROUNDS)) python3 -B tests/bench/bench.py $(BUILD) $(OUT)
