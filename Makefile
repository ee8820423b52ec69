# msb-exec: `make demo` shows it, `make check` tests it; both install what is missing first. `make help` lists
# what else there is, from what stands behind ## here: a target's line, or a variable's.
# Flavours are built in folders of their own: plain (build/), SANITIZE=1 (build/sanitize/), DEBUG=1
# (build/debug/), STATIC=1 (build/static/) and COVERAGE=1 (build/coverage/).

## PREFIX=/usr/local: where make install puts it
## DESTDIR=DIR: make a package: all goes below this folder
## SANITIZE=1: with sanitizers, in build/sanitize; also DEBUG=1
## STATIC=1: programs that need no library; takes a libcbor.a
## FILES=tests/exec.bats: the only tests to run, of check and check-vm
## JOBS=N: how many files of tests run at a time
## SLOW=N: limits of time N times as long, on a slow machine
## V=1: show the commands

PREFIX  ?= /usr/local
DESTDIR ?=
# Not every shell makes a folder of the ~ in PREFIX=~/.local.
override PREFIX  := $(patsubst ~/%,$(HOME)/%,$(PREFIX:/=))
override DESTDIR := $(patsubst ~/%,$(HOME)/%,$(DESTDIR:/=))
# Lists, units and shells would each take these apart in their own way.
placed := $(if $(shell printf '%s' '$(subst ','\'',$(PREFIX)$(DESTDIR))' | tr -d 'a-zA-Z0-9/._+@%:,=~-'),bad)
placed += $(if $(filter-out /%,$(PREFIX) $(DESTDIR)),bad)
placed += $(if $(word 2,$(PREFIX))$(word 2,$(DESTDIR)),bad)
CFLAGS  ?= -O2 -g

ifdef SANITIZE
BUILD   := build/sanitize
FLAVOUR := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifdef FUZZ
# clang's own: what `make fuzz` builds its targets from.
BUILD   := build/fuzz
CC      := clang
FLAVOUR := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -O1
else ifdef COVERAGE
# What `make coverage` runs: each line by itself, as it is written.
BUILD   := build/coverage
FLAVOUR := --coverage -O0
override CFLAGS := -g
else ifdef DEBUG
BUILD   := build/debug
FLAVOUR := -O0 -g3
else ifdef STATIC
BUILD   := build/static
FLAVOUR := -D_FORTIFY_SOURCE=2
else
BUILD   := build
FLAVOUR := -D_FORTIFY_SOURCE=2
endif

WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wwrite-strings -Wformat=2 -Wno-format-nonliteral \
	-Wstrict-prototypes -Wmissing-prototypes -Wconversion
ifdef CI
WARNINGS += -Werror
endif
HARDENING := -fPIE -fstack-protector-strong
# Not every compiler knows -static-pie: musl-gcc takes it and names a loader all the same.
NO_LOADER := $(if $(STATIC),$(shell out=$$(mktemp) && echo 'int main(void) { return 0; }' | \
	$(CC) -fPIE -static-pie -xc - -o $$out 2>/dev/null && ! readelf -lW $$out | grep -q INTERP && \
	echo -static-pie || echo -static; rm -f $$out))
# What a start costs was measured on a virtual machine, of 0.95 ms: 0.55 are glibc's own, which asks the
# processor 68 times what it is, each time a trap; 0.3 are exec, the loader and the end of any program.
# Ours are libcbor's 0.04 to 0.06 (CBOR_LIBS, STATIC=1) and at most 0.016 for all relocations. -z now would
# add 0.02, as a command needs 60 of 150 functions; one segment for text and constants, hidden symbols,
# sections without what nobody calls and packed relocations (glibc 2.36 and on) change nothing that shows.
LINKING   := $(or $(NO_LOADER),-pie) -Wl,-z,relro -Wl,--as-needed -Wl,-O1

# Evaluated when used, so that `make check` may install pkg-config first. CBOR_LIBS=/path/to/libcbor.a links
# libcbor in: a start without a second library is 0.03 to 0.06 ms shorter.
CBOR_CFLAGS = $(shell pkg-config --cflags libcbor 2>/dev/null)
CBOR_LIBS   = $(shell pkg-config $(if $(STATIC),--static) --libs libcbor 2>/dev/null)

comma := ,

# `make V=1` shows the commands.
run = $(if $(V),$(2),@echo "  $(1) $@"; $(2))

# A compiler with a libc of its own, as musl-gcc is, looks neither where the kernel's headers are nor
# where libcbor's may be, since there this system's libc has its own. A static build gets links to those
# alone, found by this system's compiler, behind all that it knows itself.
BORROWED := $(if $(STATIC),$(BUILD)/include/made)
BORROW   := linux/types.h asm/types.h asm-generic/types.h cbor.h cbor/common.h readline/readline.h

COMPILE = $(CC) -std=gnu17 -D_GNU_SOURCE -iquote . -MMD -MP $(WARNINGS) $(HARDENING) $(FLAVOUR) \
	$(CBOR_CFLAGS) $(patsubst %/made,-idirafter %,$(BORROWED)) $(CPPFLAGS) $(CFLAGS)
LINK    = $(CC) $(LINKING) $(FLAVOUR) $(CFLAGS) $(LDFLAGS)

# A room is a folder: what lies there belongs to whom the room belongs to.
objects   = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard $(1:%=%/*.c) $(1:%=%/*/*.c))))
SHARED   := $(call objects,shared)
CONSOLE  := $(call objects,cli/console)
CLI      := $(filter-out $(CONSOLE),$(call objects,cli))
DAEMON   := $(filter-out $(BUILD)/daemon/bundle/%,$(call objects,daemon))
PROGRAMS := $(BUILD)/msb-exec $(BUILD)/msb-execd $(BUILD)/msb-relayd
# By this name it is msb-exec --rsh, for whoever calls a program without options.
NAMES    := $(BUILD)/msb-rsh
# The door is for both daemons.
RELAY    := $(call objects,daemon/door daemon/relay)
EXECD    := $(filter-out $(BUILD)/daemon/relay/%,$(DAEMON))

# The console is the one program that needs readline, and the only one that may be missing. A static
# program is for guests, which need none.
READLINE := $(if $(STATIC),,$(shell pkg-config --exists readline 2>/dev/null && echo yes))
READLINE_LIBS = $(shell pkg-config --libs readline)
PROGRAMS += $(if $(READLINE),$(BUILD)/msb-exec-console)

# Before anything is compiled; where that is all that is wanted there need be no static library.
TRIED := $(if $(STATIC),$(if $(filter compiled,$(MAKECMDGOALS)),,static-cbor),$(BUILD)/tried)

.PHONY: all
all: $(if $(STATIC),static-cbor) $(PROGRAMS) $(NAMES) $(if $(READLINE)$(STATIC),,no-readline) ## the programs, in build/

.PHONY: no-readline
no-readline: | $(TRIED)
	@echo 'make: no GNU readline for pkg-config (Debian: libreadline-dev):' \
		'the prompt of msb-exec --console is left out, the rest is built' >&2

# What is missing is said once, before every file says so. Who names CBOR_CFLAGS and CBOR_LIBS needs no
# pkg-config.
$(BUILD)/tried:
	@mkdir -p $(@D)
	@command -v $(firstword $(CC)) >/dev/null || { echo 'make: no compiler $(firstword $(CC))' \
		'(Debian: gcc libc6-dev); make demo installs what is missing, and builds' >&2; exit 1; }
	@echo 'int main(void) { return 0; }' | $(CC) $(CPPFLAGS) $(CFLAGS) -xc - -xnone -o $@.tmp $(LDFLAGS)
	@printf '#include <cbor.h>\nint main(void) { return !cbor_load(0, 0, 0); }' | \
		$(CC) $(CBOR_CFLAGS) $(CPPFLAGS) $(CFLAGS) -xc - -xnone -o $@.tmp $(LDFLAGS) $(CBOR_LIBS) 2>/dev/null || \
		{ echo 'make: no libcbor for pkg-config (Debian: pkg-config libcbor-dev);' \
		'make demo installs what is missing, and builds' >&2; exit 1; }
	@mv $@.tmp $@

# Debian ships libcbor as a shared library alone.
.PHONY: static-cbor
static-cbor:
	@printf 'int cbor_load(void); int main(void) { return cbor_load(); }' | \
		$(CC) -xc - -xnone -static -o /dev/null $(LDFLAGS) $(CBOR_LIBS) 2>/dev/null || \
		{ echo 'make STATIC=1: this system has no static libcbor (libcbor.a);' \
		'build it from its sources and name its folder: LDFLAGS=-L/path/to/it' >&2; exit 1; }

$(BUILD)/include/made:
	@mkdir -p $(@D)
	@[ "$$($(CC) -dumpmachine | cut -d- -f1)" != "$$(cc -dumpmachine | cut -d- -f1)" ] || \
	for header in $(BORROW); do \
		path=$$(printf '#include <stdio.h>\n#include <%s>\n' $$header | cc $(CBOR_CFLAGS) -M -xc - 2>/dev/null | \
			tr -s ' \\' '\n' | grep -m1 "/$$header$$") || continue; \
		name=$${header%%/*}; \
		ln -sfn "$${path%/$$header}/$$name" $(@D)/$$name || exit 1; \
	done
	@touch $@

$(BUILD)/msb-exec: $(CLI) $(SHARED)
	$(call run,LINK,$(LINK) -o $@ $^ $(CBOR_LIBS) $(LDLIBS))

$(BUILD)/msb-rsh: | $(BUILD)/msb-exec
	$(call run,NAME,ln -sfn msb-exec $@)

# All of msb-exec but its main, and what it takes for a prompt.
$(BUILD)/msb-exec-console: $(CONSOLE) $(filter-out %/main.o,$(CLI)) $(SHARED)
	$(call run,LINK,$(LINK) -o $@ $^ $(CBOR_LIBS) $(READLINE_LIBS) $(LDLIBS))

# Bound at the daemon's start: else each child would look up anew what it calls before its exec.
$(BUILD)/daemon/spawn/child.o: FLAVOUR += -fno-plt

$(BUILD)/msb-execd: $(EXECD) $(SHARED)
	$(call run,LINK,$(LINK) -o $@ $^ $(CBOR_LIBS) $(LDLIBS))

$(BUILD)/msb-relayd: $(RELAY) $(SHARED)
	$(call run,LINK,$(LINK) -o $@ $^ $(CBOR_LIBS) $(LDLIBS))

$(BUILD)/%.o: %.c | $(BORROWED) $(TRIED)
	@mkdir -p $(@D)
	$(call run,CC  ,$(COMPILE) -c -o $@ $<)

-include $(patsubst %.o,%.d,$(CLI) $(CONSOLE) $(DAEMON) $(SHARED)) \
	$(wildcard $(BUILD)/tests/*.d $(BUILD)/bench/*.d $(BUILD)/fuzz_*.d)

# ---- for people ----

.PHONY: help
help: ## say this
	@awk -F' *## ' ' \
		/^[a-z-]+:.* ## / { sub(/:.*/, "", $$1); targets = targets sprintf("  %-14s %s\n", $$1, $$2) } \
		/^## / { at = index($$2, ": "); \
			variables = variables sprintf("  %-22s %s\n", substr($$2, 1, at - 1), substr($$2, at + 2)) } \
		END { printf "make TARGET... VARIABLE=VALUE...\n\n%s\n%s", targets, variables }' \
		Makefile tests/tests.mk

.PHONY: demo demo-run
demo: ## build it, run a command, and offer a shell
	@tests/deps.sh build
	@$(MAKE) --no-print-directory demo-run

demo-run: all
	@echo
	@echo '$$ msb-exec --local -- uname -sr'
	@$(BUILD)/msb-exec --local -- uname -sr
	@if [ -t 0 ] && [ -t 1 ]; then \
		echo; echo 'A shell through a private daemon; exit leaves it:'; \
		echo '$$ msb-exec --local -t'; $(BUILD)/msb-exec --local -t || true; \
	else \
		echo; echo 'In a terminal, make demo goes on with a shell.'; \
	fi

# Where shells look. Debian's fish does not look in /usr/local/share, unless XDG_DATA_DIRS says so, but where
# administrators put theirs; one that was built there looks there alone. Debian's zsh looks in
# site-functions of /usr/local alone; below ~/.local no zsh looks by itself.
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d \
	$(if $(filter /usr/local,$(PREFIX)),/etc/fish/completions)
ZSHDIR  ?= $(or $(if $(filter /usr,$(PREFIX)),$(wildcard /usr/share/zsh/vendor-completions)),\
	$(PREFIX)/share/zsh/site-functions)

# What make install puts where and make uninstall takes away: mode|file|place; of a link what it leads to.
# bash and fish look for a file of the program's own name.
into = $(foreach file,$(3),'$(1)|$(file)|$(2)/$(notdir $(file))')
INSTALLED = $(call into,755,$(PREFIX)/bin,$(BUILD)/msb-exec $(if $(READLINE),$(BUILD)/msb-exec-console) \
		$(BUILD)/msb-execd $(BUILD)/msb-relayd) \
	'link|msb-exec|$(PREFIX)/bin/msb-rsh' 'link|msb-exec.1|$(PREFIX)/share/man/man1/msb-rsh.1' \
	$(call into,644,$(PREFIX)/share/doc/msb-exec,README.md LICENSE) \
	$(call into,644,$(PREFIX)/share/man/man1,$(wildcard cli/*.1)) \
	$(call into,644,$(PREFIX)/share/man/man8,$(wildcard daemon/*.8)) \
	$(call into,644,$(PREFIX)/lib/systemd/system,$(wildcard daemon/*.service daemon/*.socket)) \
	$(call into,644,$(PREFIX)/share/systemd/user,$(wildcard daemon/user-units/*)) \
	$(call into,644,$(ZSHDIR),completions/_msb-exec) \
	$(foreach name,msb-exec msb-execd msb-relayd $(if $(READLINE),msb-exec-console), \
		'644|completions/msb-exec.bash|$(BASHDIR)/$(name)' \
		$(patsubst %,'644|completions/msb-exec.fish|%/$(name).fish',$(FISHDIR)))

# Where the daemons were before, and root's PATH finds them first.
MOVED = $(addprefix $(DESTDIR)$(PREFIX)/sbin/,msb-execd msb-relayd)

.PHONY: placed
placed:
	@[ -z '$(strip $(placed))' ] || { echo 'make: PREFIX and DESTDIR have to be absolute, and without' \
		'blanks, quotes and the like' >&2; exit 1; }

.PHONY: install
install: placed all ## put it below PREFIX (and BASHDIR, FISHDIR, ZSHDIR: for shells)
	@rm -f $(MOVED)
	@printf '%s\n' $(INSTALLED) | while IFS='|' read -r mode file place; do \
		place="$(DESTDIR)$$place"; \
		[ "$$mode" != link ] || { echo "ln -s $$file $$place"; \
			mkdir -p "$${place%/*}" && ln -sfn "$$file" "$$place" || exit 1; continue; }; \
		echo "install -DT -m $$mode $$file $$place"; \
		install -DT -m "$$mode" "$$file" "$$place" || exit 1; \
		case $$file in *.service) sed -i 's|@BIN@|$(PREFIX)/bin|' "$$place" || exit 1;; esac; \
	done

# The console too, be there a readline by now or not. Folders that others use stay.
.PHONY: uninstall
uninstall: override READLINE = yes
uninstall: placed ## take away what install put there
	@rm -f $(MOVED)
	@printf '%s\n' $(INSTALLED) | while IFS='|' read -r mode file place; do \
		place="$(DESTDIR)$$place"; \
		[ -e "$$place" ] || [ -h "$$place" ] || continue; \
		echo "rm -f $$place"; \
		rm -f "$$place" || exit 1; \
	done
	@rmdir "$(DESTDIR)$(PREFIX)/share/doc/msb-exec" 2>/dev/null || true

.PHONY: clean
clean: ## remove build/
	rm -rf build

# ---- for guests ----

# A tar whose folder runs msb-execd in any Linux root of this architecture, whatever its libc:
# daemon/bundle/README. With STATIC=1 the folder holds the program alone.
BUNDLE  := $(BUILD)/msb-execd-guest-$(shell uname -m).tar

.PHONY: guest-bundle
guest-bundle: $(if $(STATIC),static-cbor) $(BUNDLE) ## a tar that runs msb-execd in any Linux root
	@echo $(BUNDLE)

$(BUNDLE): $(BUILD)/msb-execd $(wildcard daemon/bundle/*) LICENSE
	$(call run,TAR ,CC='$(CC)' daemon/bundle/bundle.sh $< $@)

# ---- what is made from it ----

# The tables in the completions, after an option has changed.
.PHONY: completions
completions: all ## write the tables in completions/ from --help
	@python3 -B completions/generate.py . $(PROGRAMS)

# The README's picture: a real session, drawn from a real screen.
.PHONY: picture
picture: all ## draw the picture of the README from a real session
	@tests/deps.sh check
	@python3 -B tests/picture.py $(BUILD) tests/session.svg

include tests/tests.mk
