import CLinux
import Daemon
import Glibc

// Hidden modes: what this executable is when it starts itself.
let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.first {
case Child.trampoline: Child.become(Array(arguments.dropFirst()))
case BusBenchmark.publisherMode: runProcess { try BusBenchmark.publish(Array(arguments.dropFirst())) }
case BusBenchmark.subscriberMode: runProcess { try BusBenchmark.subscribe(Array(arguments.dropFirst())) }
default: runProcess { try BenchCommand(arguments).run() }
}
