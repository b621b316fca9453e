#pragma once
#include "controller/command_line/options.h"

#include <CLI/CLI.hpp>

namespace routelet::controller {

// Each adds a command with its options to `app`. When the command is given, app.parse() fills its member of
// `line`, or throws CLI::ParseError where options contradict each other. Only for this folder.

void add_run_command(CLI::App& app, CommandLine& line);

void add_status_command(CLI::App& app, CommandLine& line);
void add_doctor_command(CLI::App& app, CommandLine& line);
void add_explain_command(CLI::App& app, CommandLine& line);
void add_history_command(CLI::App& app, CommandLine& line);
void add_plan_command(CLI::App& app, CommandLine& line);

void add_install_command(CLI::App& app, CommandLine& line);
void add_cleanup_command(CLI::App& app, CommandLine& line);

// Of a program with all its other commands: it prints what makes a shell complete them.
void add_completion_command(CLI::App& app);

} // namespace routelet::controller
