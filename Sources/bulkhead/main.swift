import Daemon
import Presenting

// bulkhead COMMAND [OPTION…]: `bulkhead help` says what there is.
BulkheadTool.run(arguments: Array(CommandLine.arguments.dropFirst()), environment: Environment.current).exit()
