//! What `--help` and `--version` say.

/// The release of `redis-cli` whose ways these are: scripts look for the name and a number.
const LIKE: &str = "7.0.15";

/// The line of `--version`.
pub(crate) fn version() -> String {
    format!(
        "redis-cli {LIKE} (redstart-cli {})",
        env!("CARGO_PKG_VERSION")
    )
}

/// The page of `--help`.
pub(crate) fn text() -> String {
    format!("{}\n\n{USAGE}", version())
}

const USAGE: &str = "\
Usage: redstart-cli [OPTIONS] [command [argument ...]]
Without a command it prompts for them; \"help\" there tells more.

The server
  -h <host>            Name or address (default 127.0.0.1).
  -p <port>            Port (default 6379).
  -s <path>            A local socket instead of host and port.
  -u <uri>             redis://[[user:]password@][host[:port]][/database]
  -t <seconds>         Give up connecting after this; 0.5 is fine.
  -a, --pass <word>    Password. Others on this machine may see it: the environment's REDISCLI_AUTH
                       is safer, --askpass safest.
  --user <name>        The user of the password.
  --askpass            Ask for the password; -a and REDISCLI_AUTH do not count then.
  --no-auth-warning    No warning about -a.
  -n <number>          Database.
  -2, -3               Protocol version; version 3 knows maps, sets and numbers.
  -c                   Follow a cluster's redirections.
  --tls …              This build has no TLS; the flags say so.

The command
  -r <count>           So often; -1 without end.
  -i <seconds>         This long between repetitions; also for --stat, --scan, --latency,
                       --bigkeys and its kin (there every hundred rounds).
  -x                   The last argument comes from standard input.
  -X <tag>             The argument that is <tag> comes from standard input.
  --quoted-input       Arguments are quoted strings: \"a\\x00b\".
  -e                   An error reply ends with exit code 1 and goes to standard error.
  --eval <file> [key ...] , [argument ...]
                       Run a Lua script; the comma stands between keys and arguments.

The output
  --raw, --no-raw      Bytes as they are, or for people; by default people when it is a terminal.
  -d <text>            Between elements in raw form (default: a new line).
  -D <text>            Behind replies in raw form (default: a new line).
  --csv                Comma-separated values.
  --json               JSON, over protocol version 3 unless -2 is given.
  --quoted-json        The same in ASCII.
  --show-pushes <yn>   Show messages that come between replies (default: on a terminal).

Watching
  --stat               A line of figures each second.
  --latency            Round trips of PING; ends after a second when it is not a terminal.
  --latency-history    The same, a line every 15 seconds.
  --latency-dist       The same as a spectrum of colours (--mono: of greys).
  --intrinsic-latency <seconds>
                       How long the system keeps a busy program waiting; needs no server.
  --replica            What a replica receives.
  --lru-test <keys>    A cache's load, 80 % of it on 20 % of the keys, and its hits.

Looking through the keys
  --scan               All keys.
  --bigkeys            The largest by elements.
  --memkeys            The largest by memory; --memkeys-samples <n>: look at n elements of each.
  --keystats           Both at once, with the spread of sizes; --top <n>: so many keys (default 10);
                       --keystats-samples <n>: look at n elements of each.
  --hotkeys            The most used; the server needs an LFU maxmemory-policy.
  --pattern <glob>     Only these; --quoted-pattern: the same as a quoted string.
  --count <n>          Keys asked for in each round.  --cursor <n>: begin there.

Moving data
  --pipe               Requests in raw protocol from standard input, as fast as they go.
  --pipe-timeout <s>   Give up after so long without a reply (default 30; 0: never).
  --rdb <file>         The data as an RDB file; - is standard output.
  --functions-rdb <f>  Only the functions.

  -v, --version        -h, --help        --verbose (accepted, says nothing more)

Examples
  redstart-cli -x set logo < logo.png
  redstart-cli -D \"\" --raw dump key | redstart-cli -x restore copy 0
  redstart-cli -r 100 -i 1 info memory | grep used_memory_human:
  redstart-cli --quoted-input set '\"a\\x00b\"' value
  redstart-cli --eval script.lua key1 key2 , argument
  redstart-cli --scan --pattern 'user:*'

Environment: REDISCLI_AUTH (password), REDISCLI_HISTFILE and REDISCLI_RCFILE (files instead of .rediscli_history and
.redisclirc in the home folder). Exit code 1 for whatever went wrong, errors of -e included.
";
