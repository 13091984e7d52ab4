import TraceSimulation

SoakCommand.main(CommandLine.arguments)
