/// Small configuration files, and whether both supervisors take them.
enum StockCorpus {
  enum Expectation {
    /// Both take it, and make the same of it.
    case same
    /// Both refuse it.
    case refused
    /// The stock takes it, ours does not, because it is a mistake.
    case oursRefuses
  }

  struct Case {
    let name: String
    let text: String
    let expectation: Expectation
    var files: [String: String] = [:]
  }

  static let environment = [
    "CORPUS": "x,y", "PERCENT": "100%", "SPACED": "a b", "EMPTY": "", "HOME": "/root", "PATH": "/usr/bin:/bin",
    "UMLAUT": "ü", "NUM": "7",
  ]

  private static func same(_ name: String, _ text: String, files: [String: String] = [:]) -> Case {
    Case(name: name, text: text, expectation: .same, files: files)
  }

  private static func refused(_ name: String, _ text: String, files: [String: String] = [:]) -> Case {
    Case(name: name, text: text, expectation: .refused, files: files)
  }

  private static func oursRefuses(_ name: String, _ text: String) -> Case {
    Case(name: name, text: text, expectation: .oursRefuses)
  }

  /// A program `p` with one more line.
  private static func program(_ lines: String) -> String { "[program:p]\ncommand=/bin/cat\n\(lines)\n" }

  static var all: [Case] { form + expansions + quoting + values + groups + pools + includes }

  static let form = [
    same("nothing", ""),
    same("defaults", program("")),
    same("colons, capitals and blanks", "[program:p]\n  \nCommand : /bin/cat a\nSTARTSECS= 3 \n"),
    same(
      "inline comments",
      "[program:p] ; c\ncommand=/bin/cat a;b ;c\nstartsecs=4 # d\nuser=root;x\n".replacing(";x", with: "")),
    same("a hash without a blank", "[program:p]\ncommand=/bin/cat a#b c #d e ;f\n"),
    same("comment lines", "; a\n# b\n[program:p]\n  ; c\ncommand=/bin/cat\n;d\n"),
    same("continuation", "[program:p]\ncommand=/bin/cat\n  a\n\n  b ; c\n ; d\n  c\nstartsecs=2\n"),
    same("continuation of environment", program("environment=A=1,\n  B=\"2\",\n  C='3'")),
    same("carriage returns", "[program:p]\r\ncommand=/bin/cat a\r\nstartsecs=2\r\n"),
    same("lone carriage returns", "[program:p]\rcommand=/bin/cat a\rstartsecs=2\r"),
    same("tabs", "[program:p]\ncommand\t=\t/bin/cat\ta\n"),
    same("unicode", "[program:p]\ncommand=/bin/cat ü “x” \u{A0}\n"),
    same("a no-break space around a value", "[program:p]\ncommand=/bin/cat\u{A0}\nstartsecs=\u{2003}3\u{3000}\n"),
    same("separators before a comment", "[program:p]\ncommand=/bin/cat\u{1C}; x\n"),
    same("a key twice", program("startsecs=2\nstartsecs=3")),
    oursRefuses(
      "a program twice", "[program:p]\ncommand=/bin/cat\nstartsecs=2\n[supervisord]\n[program:p]\nstartsecs=9\n"),
    same("what follows a section's head", "[program:p] junk\ncommand=/bin/cat\n"),
    same("a section twice", "[supervisord]\numask=077\n[program:p]\ncommand=/bin/cat\n[supervisord]\nidentifier=x\n"),
    same("unknown sections", "[zap]\nx=y\n[program:p]\ncommand=/bin/cat\n[scanner2]\n"),
    same(
      "defaults of all sections",
      "[DEFAULT]\nstartsecs=7\n[program:p]\ncommand=/bin/cat\n[program:q]\ncommand=/bin/ls\nstartsecs=1\n"),
    same("a value with equals signs", program("environment=A=\"b=c:d\"")),
    same("an empty value", program("environment=\nexitcodes=\nstdout_logfile=")),
    refused("no section", "a=1\n[supervisord]\n"),
    refused("a line that is none", "[program:p]\ncommand=/bin/cat\nhello\n"),
    refused("an empty key", "[program:p]\ncommand=/bin/cat\n=x\n"),
    refused("a head without an end", "[program\ncommand=/bin/cat\n"),
    oursRefuses("a head without an end, with a colon", "[program:p\ncommand=/bin/cat\n"),
    oursRefuses("an unknown key", program("startsec=1")),
    oursRefuses("a program without a name", "[program:]\ncommand=/bin/cat\n"),
    same("a name with blanks around it", "[program: p ]\ncommand=/bin/echo %(program_name)s\n"),
    refused("a name with a blank", "[program:a b]\ncommand=/bin/cat\n"),
    refused("a name with a colon", "[program:a:b]\ncommand=/bin/cat\n"),
    refused("no command", "[program:p]\nstartsecs=1\n"),
    oursRefuses("an empty command", "[program:p]\ncommand=\n"),
    oursRefuses("a quote without an end", "[program:p]\ncommand=/bin/cat 'a\n"),
  ]

  static let expansions = [
    same("here", "[program:p]\ncommand=%(here)s/x %(here)s\ndirectory=%(here)s\nstdout_logfile=%(here)s/l\n"),
    same(
      "all names",
      "[program:p]\ncommand=/bin/echo %(program_name)s %(group_name)s %(process_num)d %(process_num)03d %(numprocs)d %(host_node_name)s %(ENV_CORPUS)s\n"
    ),
    same(
      "names in strings",
      "[program:p]\ncommand=/bin/echo %(process_num)s|%(process_num)5d|%(process_num)-5d|%(process_num)x|%(program_name)5s|%(program_name)-5s|\n"
    ),
    same("percent signs", "[program:p]\ncommand=/bin/echo 100%% %%s\n"),
    refused("a lone percent sign", "[program:p]\ncommand=/bin/echo 100%\n"),
    refused("an unknown name", "[program:p]\ncommand=/bin/echo %(nope)s\n"),
    refused("an unknown variable", "[program:p]\ncommand=/bin/echo %(ENV_NOPE)s\n"),
    refused("a text as a number", "[program:p]\ncommand=/bin/echo %(ENV_NUM)d\n"),
    refused("a form that is none", "[program:p]\ncommand=/bin/echo %(program_name)q\n"),
    refused("a form without a letter", "[program:p]\ncommand=/bin/echo %(program_name)\n"),
    same(
      "own environment in later values",
      program("environment=A=\"x\",B=\"%(ENV_CORPUS)s\"\ndirectory=/%(ENV_A)s").replacing(
        "/bin/cat", with: "/bin/echo %(ENV_A)s %(ENV_B)s")),
    refused("own environment in earlier values", program("environment=A=\"2\"\nstartsecs=%(ENV_A)s")),
    refused("own environment in itself", program("environment=A=\"2\",B=\"%(ENV_A)s\"")),
    same(
      "the environment of all",
      "[supervisord]\nenvironment=G=\"5\",H='%(ENV_CORPUS)s',P=\"%(here)s\"\n"
        + program("startsecs=%(ENV_G)s\nenvironment=H=\"own\",I=\"%(ENV_G)s\"")),
    same("a percent sign in the environment of all", "[supervisord]\nenvironment=G=\"5%%%%\"\n" + program("")),
    refused("a single percent sign in the environment of all", "[supervisord]\nenvironment=G=\"5%%\"\n" + program("")),
    same("a percent sign in an environment", program("environment=A=\"5%%\",B=\"%%(here)s\"")),
    refused("process_num too early", program("startsecs=%(process_num)d")),
    refused("process_num in a priority", program("priority=%(process_num)d")),
    same("program_name in numbers", "[program:5]\ncommand=/bin/cat\nstartsecs=%(program_name)s\n"),
    same(
      "a percent sign in a log's name",
      program("stdout_logfile=/tmp/a%%%%b\nstderr_logfile=/tmp/%(program_name)s-%(process_num)d")),
    refused("a single percent sign in a log's name", program("stdout_logfile=/tmp/a%%b")),
    same("a variable with a percent sign", "[program:p]\ncommand=/bin/echo %(ENV_PERCENT)s\n"),
    refused("a variable with a percent sign in a log's name", program("stdout_logfile=/tmp/%(ENV_PERCENT)s")),
    refused("the host's name in [supervisord]", "[supervisord]\nidentifier=%(host_node_name)s\n"),
    same("variables in [supervisord]", "[supervisord]\nidentifier=%(ENV_NUM)s\nminfds=%(ENV_NUM)s0\n"),
    same(
      "several processes",
      "[program:p]\ncommand=/bin/echo %(process_num)d of %(numprocs)d\nprocess_name=%(program_name)s_%(process_num)02d\nnumprocs=3\nnumprocs_start=9\nenvironment=N=\"%(process_num)d\"\nstdout_logfile=/tmp/%(process_num)d.log\n"
    ),
    same("no processes", program("numprocs=0")),
    refused("several processes of one name", program("numprocs=2")),
    refused("a process name with a blank", program("process_name=a b")),
  ]

  static let quoting =
    [
      ("plain", "A=1,B=2"), ("double", "A=\"1,2\",B=\"x y\""), ("single", "A='1,2',B='x \"y\"'"),
      ("spaces", " A = 1 , B = \"2\" "), ("a comma at the end", "A=1,"), ("paths", "PATH=/a/b:/c,B=x-y+z.(1)"),
      ("a quote within", "A=\"it's\",B='say \"x\"'"), ("empty", "A=\"\",B=''"), ("other separators", "A=1;B=2"),
      ("a hash", "A=b#c"), ("a hash in quotes", "A=\"b#c\""), ("twice", "A=1,A=2"), ("nested", "A=\"'x'\""),
      ("a backslash in quotes", "A=\"a\\\\b\\n\""), ("an equals sign", "A=\"b=c\""), ("umlaut in quotes", "A=\"ü\""),
      ("one odd character", "A=@"), ("a quote in a word", "A=a\"b\""), ("a quoted key", "\"A\"=1"),
      ("a space in the last value", "A=a b"),
    ].map { same("environment: \($0.0)", program("environment=\($0.1)")) }
    + [
      ("no equals sign", "A"), ("nothing after it", "A="), ("no comma", "A=1 B=2"), ("two commas", "A=1,,B=2"),
      ("no end", "A=\"1"), ("an odd character within", "A=a@b"),
      ("a dollar", "A=$x,B=1"),
      ("a comma as a value", "A=,B=1"),
    ].map { refused("environment: \($0.0)", program("environment=\($0.1)")) }
    + [
      "a  b\tc", "'a b' \"c d\"", "\"a \\\" b\" \"\\\\\" '\\'", "a\\ b \\\"c", "a\"b\"'c'd", "\"\" ''",
      "'a\nb'".replacing("\n", with: "\n  "), "\"\\$x\" $HOME `x` ~ * | > &",
      "a;b", "\"x;y\" \"z # w\"".replacing(" # ", with: "#"), "ü“”",
    ].map { same("command: \($0)", "[program:p]\ncommand=/bin/echo \($0)\n") }

  static let values =
    [
      "startsecs=0", "startsecs=+5", "startsecs=1_000", "startsecs=100000", "startretries=1000000",
      "stopwaitsecs=86401",
      "priority=-5", "priority=100000000", "autostart=no", "autostart=OFF", "autostart=1", "autorestart=True",
      "autorestart=unexpected", "autorestart=FALSE", "autorestart=0", "exitcodes=0,2", "exitcodes= 1 , 255 ",
      "exitcodes=7",
      "stopsignal=HUP", "stopsignal=sigint", "stopsignal=9", "stopsignal=USR2", "stopsignal=RTMIN", "stopsignal=CLD",
      "stopsignal=POLL", "stopsignal=IOT", "stopsignal=64", "stopsignal=34", "stopasgroup=true", "killasgroup=true",
      "stopasgroup=true\nkillasgroup=true",
      "umask=022", "umask=0o77", "umask=7", "umask=0", "user=root", "user=0", "user=nobody", "redirect_stderr=yes",
      "redirect_stderr=true\nstderr_logfile=/tmp/x", "redirect_stderr=true\nstderr_logfile=NONE",
      "stdout_logfile=NONE", "stdout_logfile=off", "stdout_logfile=auto", "stdout_logfile=syslog", "stdout_syslog=true",
      "stdout_logfile=relative.log", "stdout_logfile=~/x.log", "stderr_logfile=/dev/stderr\nstderr_logfile_maxbytes=0",
      "stdout_logfile_maxbytes=1MB", "stdout_logfile_maxbytes=2gb", "stdout_logfile_maxbytes=3 KB",
      "stdout_logfile_maxbytes=0", "stdout_logfile_maxbytes=1_0kb", "stdout_logfile_backups=0",
      "stderr_logfile_backups=100000",
      "stdout_capture_maxbytes=1MB", "stdout_events_enabled=true",
      "stderr_events_enabled=on\nstderr_capture_maxbytes=5",
      "serverurl=AUTO", "serverurl=auto", "serverurl=http://localhost:9001", "serverurl=unix:///tmp/x.sock",
      "directory=/tmp", "directory=/nonexistent", "environment=PATH=\"/x\"",
    ].map { same("value: \($0)", program($0)) }
    + [
      "startsecs=soon", "startsecs=1.5", "startsecs=1__0", "startsecs=_1", "startsecs=", "startretries=x",
      "priority=high",
      "autostart=maybe", "autostart=", "autorestart=sometimes", "exitcodes=256", "exitcodes=0,", "exitcodes=-1",
      "exitcodes=a",
      "exitcodes=1 2", "stopsignal=BLUE", "stopsignal=65", "stopsignal=33", "stopsignal=35", "stopsignal=",
      "stopasgroup=true\nkillasgroup=false",
      "umask=9", "umask=", "umask=0x1", "user=no-such-user-here", "user=", "user=99999", "stdout_logfile_maxbytes=5MBB",
      "stdout_logfile_maxbytes=MB", "stdout_logfile_maxbytes=1.5MB", "stdout_logfile_backups=x", "stdout_syslog=x",
      "redirect_stderr=2", "numprocs=x", "numprocs=", "stdout_events_enabled=x",
    ].map { refused("value: \($0)", program($0)) }
    + [
      "startsecs=-1", "startretries=-1", "numprocs=-1", "stdout_logfile_maxbytes=-1", "stopsignal=0", "umask=-1",
    ].map { oursRefuses("value: \($0)", program($0)) }
    + [
      "umask=077", "minfds=1", "minprocs=5", "logfile_maxbytes=1KB", "logfile_backups=3", "nocleanup=true",
      "silent=true",
      "strip_ansi=on", "nodaemon=true", "identifier=other", "loglevel=debug", "loglevel=WARN", "loglevel=blather",
      "directory=/tmp", "user=root", "childlogdir=/tmp", "logfile=/tmp/x.log", "pidfile=~/x.pid", "logfile=syslog",
    ].map { same("[supervisord] \($0)", "[supervisord]\n\($0)\n") }
    + [
      "umask=8", "minfds=x", "logfile_maxbytes=x", "logfile_backups=", "nocleanup=2", "loglevel=loud", "loglevel=",
      "directory=/nonexistent", "user=no-such-user-here", "nodaemon=perhaps", "environment=A",
    ].map { refused("[supervisord] \($0)", "[supervisord]\n\($0)\n") }

  static let groups = [
    same(
      "a group",
      "[program:a]\ncommand=/bin/cat %(group_name)s\npriority=3\n[program:b]\ncommand=/bin/ls %(group_name)s\n[group:g]\nprograms=a,b\npriority=5\n"
    ),
    same(
      "programs stay alone",
      "[program:a]\ncommand=/bin/cat\npriority=20\n[program:b]\ncommand=/bin/ls\npriority=10\n[program:c]\ncommand=/bin/ls\npriority=10\n"
    ),
    same(
      "a group in front of its programs",
      "[group:g]\nprograms= b , a\n[program:a]\ncommand=/bin/cat\n[program:b]\ncommand=/bin/ls\n"),
    same("a program in two groups", "[program:a]\ncommand=/bin/cat\n[group:g]\nprograms=a\n[group:h]\nprograms=a\n"),
    same("an empty group", "[group:g]\nprograms=\n"),
    same("a group without programs", "[group:g]\npriority=1\n"),
    same(
      "a group of several processes",
      "[program:a]\ncommand=/bin/cat\nprocess_name=x%(process_num)d\nnumprocs=2\n[group:g]\nprograms=a\n"),
    same(
      "order by priority, then name",
      "[program:z]\ncommand=/bin/cat\npriority=1\n[program:a]\ncommand=/bin/cat\n[program:m]\ncommand=/bin/cat\n[group:g]\nprograms=a,m\n[program:b]\ncommand=/bin/cat\n"
    ),
    refused("an unknown program", "[group:g]\nprograms=nope\n"),
    refused("a comma too many", "[program:a]\ncommand=/bin/cat\n[group:g]\nprograms=a,\n"),
    refused("a group's name with a blank", "[program:a]\ncommand=/bin/cat\n[group:g h]\nprograms=a\n"),
    refused("a group's priority", "[program:a]\ncommand=/bin/cat\n[group:g]\nprograms=a\npriority=x\n"),
    refused(
      "a program and a FastCGI program",
      "[program:a]\ncommand=/bin/cat\n[fcgi-program:a]\ncommand=/bin/cat\nsocket=tcp://localhost:9000\n[group:g]\nprograms=a\n"
    ),
    oursRefuses(
      "one name twice in a group",
      "[program:a]\ncommand=/bin/cat\nprocess_name=x\n[program:b]\ncommand=/bin/cat\nprocess_name=x\n[group:g]\nprograms=a,b\n"
    ),
    oursRefuses(
      "two groups of one name", "[program:a]\ncommand=/bin/cat\n[program:b]\ncommand=/bin/cat\n[group:a]\nprograms=b\n"),
  ]

  static let pools = [
    same("a listener", "[eventlistener:l]\ncommand=/bin/cat\nevents=PROCESS_STATE,tick_5\n"),
    same(
      "a listener's own keys",
      "[eventlistener:l]\ncommand=/bin/cat\nevents=EVENT\nbuffer_size=3\npriority=4\nnumprocs=2\nprocess_name=%(program_name)s%(process_num)d\nresult_handler=supervisor.dispatchers:default_handler\n"
    ),
    same(
      "every kind",
      "[eventlistener:l]\ncommand=/bin/cat\nevents=EVENT,PROCESS_STATE,PROCESS_STATE_STOPPED,PROCESS_STATE_EXITED,PROCESS_STATE_STARTING,PROCESS_STATE_STOPPING,PROCESS_STATE_BACKOFF,PROCESS_STATE_FATAL,PROCESS_STATE_RUNNING,PROCESS_STATE_UNKNOWN,PROCESS_COMMUNICATION,PROCESS_COMMUNICATION_STDOUT,PROCESS_COMMUNICATION_STDERR,PROCESS_LOG,PROCESS_LOG_STDOUT,PROCESS_LOG_STDERR,REMOTE_COMMUNICATION,SUPERVISOR_STATE_CHANGE,SUPERVISOR_STATE_CHANGE_RUNNING,SUPERVISOR_STATE_CHANGE_STOPPING,TICK,TICK_5,TICK_60,TICK_3600,PROCESS_GROUP,PROCESS_GROUP_ADDED,PROCESS_GROUP_REMOVED\n"
    ),
    refused("no events", "[eventlistener:l]\ncommand=/bin/cat\n"),
    refused("an unknown event", "[eventlistener:l]\ncommand=/bin/cat\nevents=NOPE\n"),
    refused("no room", "[eventlistener:l]\ncommand=/bin/cat\nevents=TICK_5\nbuffer_size=0\n"),
    refused("a redirected listener", "[eventlistener:l]\ncommand=/bin/cat\nevents=TICK_5\nredirect_stderr=true\n"),
    same("a FastCGI program", "[fcgi-program:f]\ncommand=/bin/cat\nsocket=tcp://LOCALHOST:9000\nsocket_backlog=7\n"),
    same(
      "a FastCGI socket file",
      "[fcgi-program:f]\ncommand=/bin/cat\nsocket=unix:///tmp/%(program_name)s.sock\nsocket_mode=0660\nsocket_owner=nobody:nogroup\n"
    ),
    same(
      "a FastCGI socket file of a user",
      "[fcgi-program:f]\ncommand=/bin/cat\nsocket=unix://%(here)s/../f.sock\nuser=nobody\n"),
    same(
      "a FastCGI socket's owner alone",
      "[fcgi-program:f]\ncommand=/bin/cat\nsocket=unix:///tmp/f.sock\nsocket_owner=nobody\n"),
    refused("no socket", "[fcgi-program:f]\ncommand=/bin/cat\n"),
    refused("a relative socket", "[fcgi-program:f]\ncommand=/bin/cat\nsocket=unix://x.sock\n"),
    refused("no port", "[fcgi-program:f]\ncommand=/bin/cat\nsocket=tcp://localhost\n"),
    refused("port 0", "[fcgi-program:f]\ncommand=/bin/cat\nsocket=tcp://localhost:0\n"),
    refused("another socket", "[fcgi-program:f]\ncommand=/bin/cat\nsocket=udp://localhost:1\n"),
    refused(
      "an owner of a port", "[fcgi-program:f]\ncommand=/bin/cat\nsocket=tcp://localhost:9000\nsocket_owner=nobody\n"),
    refused(
      "an unknown owner", "[fcgi-program:f]\ncommand=/bin/cat\nsocket=unix:///tmp/f\nsocket_owner=no-such-user-here\n"),
    refused("no backlog", "[fcgi-program:f]\ncommand=/bin/cat\nsocket=tcp://localhost:9000\nsocket_backlog=0\n"),
    same(
      "an interface",
      "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"),
    refused("an interface without a factory", "[rpcinterface:x]\nfoo=bar\n"),
    same(
      "the client's section",
      "[supervisorctl]\nserverurl=unix:///tmp/x.sock\nprompt=mine\nusername=a\npassword=b\nhistory_file=~/.h\n"),
    same(
      "servers",
      "[unix_http_server]\nfile=%(here)s/x.sock\nchmod=0777\nchown=nobody:nogroup\n[inet_http_server]\nport=127.0.0.1:9001\nusername=a\npassword=b\n"
    ),
    refused("a server without a port", "[inet_http_server]\nusername=a\npassword=b\n"),
    refused("a password alone", "[inet_http_server]\nport=127.0.0.1:9001\npassword=b\n"),
    refused("a socket's mode", "[unix_http_server]\nfile=/tmp/x.sock\nchmod=9\n"),
  ]

  static let includes = [
    same(
      "includes",
      "[include]\nfiles=conf.d/*.conf  more/%(ENV_NUM)s.ini\n  %(here)s/last.conf %(host_node_name)s/*.none\n",
      files: [
        "conf.d/b.conf": "[program:b]\ncommand=%(here)s/b\n", "conf.d/a.conf": "[program:a]\ncommand=%(here)s/a\n",
        "more/7.ini": "[program:c]\ncommand=/bin/cat\nstdout_logfile=%(here)s/c.log\n",
        "last.conf": "[program:b]\nstartsecs=9\n[include]\nfiles=never.conf\n",
        "never.conf": "[program:never]\ncommand=/bin/cat\n",
      ]),
    same(
      "an included [supervisord]", "[include]\nfiles=x.conf\n",
      files: [
        "x.conf": "[supervisord]\nidentifier=inside\nenvironment=A=\"1\"\n[program:p]\ncommand=/bin/echo %(ENV_A)s\n"
      ]),
    same("nothing to include", "[include]\nfiles=nothing/*.conf\n"),
    refused("an include without files", "[include]\n"),
    refused("an include with an unknown variable", "[include]\nfiles=%(ENV_NOPE)s/*\n"),
    refused(
      "a mistake in an included file", "[include]\nfiles=x.conf\n",
      files: ["x.conf": "[program:p]\ncommand=/bin/cat\nstartsecs=x\n"]),
    refused("a line that is none in an included file", "[include]\nfiles=x.conf\n", files: ["x.conf": "hello\n"]),
    same(
      "sections that go on in an included file", "[program:p]\ncommand=/bin/cat\n[include]\nfiles=x.conf\n",
      files: ["x.conf": "[program:p]\nstartsecs=4\n  \n"]),
  ]
}
