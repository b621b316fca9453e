#include "controller/command_line/completion.h"

#include "base/join.h"
#include "controller/command_line/commands.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <sstream>

namespace routelet::controller {
namespace {

constexpr const char* footer =
    "In bash, for this shell and for each one that starts:\n"
    "    source <(routelet completion bash)\n"
    "    echo 'source <(routelet completion bash)' >>~/.bashrc\n"
    "    routelet completion bash >/usr/share/bash-completion/completions/routelet    # for all, as root\n"
    "In zsh, behind `autoload -Uz compinit && compinit`:\n"
    "    source <(routelet completion zsh)\n"
    "    echo 'source <(routelet completion zsh)' >>~/.zshrc\n"
    "    routelet completion zsh >/usr/local/share/zsh/site-functions/_routelet       # for all, as root\n"
    "In fish:\n"
    "    routelet completion fish | source\n"
    "    routelet completion fish >~/.config/fish/completions/routelet.fish\n"
    "Exit status: 0, 2 wrong usage.";

using Texts = std::vector<std::string>;

// What follows an option, or stands for itself.
enum class Takes { nothing, text, file, folder, choice, node };

struct Argument {
    Texts short_names; // without -
    Texts long_names;  // without --
    std::string about;
    std::string type; // "FILE"
    Takes takes = Takes::nothing;
    Texts choices{};
    bool repeats = false;
};

struct Command {
    std::string name; // empty: the program itself
    std::string about;
    std::vector<Argument> options;
    std::vector<Argument> positionals;
};

// A menu has a line for each.
std::string first_clause(const std::string& text)
{
    std::size_t end = text.size();
    for (const char* stop : {". ", "; ", "\n"})
        end = std::min(end, text.find(stop));
    return text.substr(0, end);
}

// "TEXT:{json,text}" of a CLI::IsMember.
Texts choices_in(const std::string& type)
{
    const std::size_t open = type.rfind('{');
    const std::size_t close = type.rfind('}');
    if (open == std::string::npos || close == std::string::npos || close < open)
        return {};
    Texts choices;
    std::istringstream names(type.substr(open + 1, close - open - 1));
    for (std::string name; std::getline(names, name, ',');)
        choices.push_back(name);
    return choices;
}

// By "NODE", or "ADDRESS|NODE".
bool names_node(std::string_view type)
{
    return type.substr(type.rfind('|') + 1) == "NODE";
}

Takes taken_by(const CLI::Option& option, const std::string& type, const Texts& choices)
{
    if (option.get_items_expected_max() == 0)
        return Takes::nothing;
    if (!choices.empty())
        return Takes::choice;
    if (names_node(option.get_positional() ? option.get_name(true) : type))
        return Takes::node;
    return type == "FILE" ? Takes::file : type == "DIR" ? Takes::folder : Takes::text;
}

Argument argument_of(const CLI::Option& option)
{
    const std::string type = option.get_type_name();
    const Texts choices = choices_in(type);
    // A flag may be given a value too, behind an equals sign only: that is what it is not asked for.
    const bool is_flag = option.get_items_expected_min() == 0;
    return {.short_names = option.get_snames(),
            .long_names = option.get_lnames(),
            .about = first_clause(option.get_description()),
            .type = option.get_positional() ? option.get_name(true) : type.substr(0, type.find(':')),
            .takes = is_flag ? Takes::nothing : taken_by(option, type, choices),
            .choices = choices,
            .repeats = option.get_items_expected_max() > 1};
}

Command command_of(const CLI::App& app)
{
    Command command{.name = app.get_name(),
                    .about = first_clause(app.get_description()),
                    .options = {},
                    .positionals = {}};
    for (const CLI::Option* option : app.get_options())
        (option->nonpositional() ? command.options : command.positionals).push_back(argument_of(*option));
    return command;
}

std::vector<Command> commands_of(const CLI::App& app)
{
    std::vector<Command> commands;
    for (const CLI::App* subcommand : app.get_subcommands([](const CLI::App*) { return true; }))
        commands.push_back(command_of(*subcommand));
    return commands;
}

Texts names_of(const std::vector<Command>& commands)
{
    Texts names;
    for (const Command& command : commands)
        names.push_back(command.name);
    return names;
}

// "-o", "--output".
Texts names_of(const Argument& option)
{
    Texts names;
    for (const std::string& name : option.short_names)
        names.push_back("-" + name);
    for (const std::string& name : option.long_names)
        names.push_back("--" + name);
    return names;
}

std::string with_backslashes(const std::string& text, std::string_view before)
{
    std::string escaped;
    for (const char letter : text) {
        if (before.find(letter) != std::string_view::npos)
            escaped += '\\';
        escaped += letter;
    }
    return escaped;
}

// What the shells ask for the names of Nodes: `routelet status -o name`. Errors are nothing that a line being
// typed has room for, and nobody waits long there. `where` is the option --health-bind-address, if it is on
// the line.
std::string nodes_command(const std::string& program, const char* where)
{
    return "command " + program + " status -o name --timeout 2 " + where + " 2>/dev/null";
}

// --- bash

std::string bash_reply(const Argument& argument)
{
    switch (argument.takes) {
    case Takes::choice:
        return "words=\"" + joined(argument.choices, " ") + "\"";
    case Takes::file:
        return "kind=-f";
    case Takes::folder:
        return "kind=-d";
    case Takes::node:
        return "kind=nodes";
    case Takes::nothing:
    case Takes::text:
        break;
    }
    return "return";
}

std::string bash_words(const Command& command)
{
    Texts words;
    for (const Argument& option : command.options)
        std::ranges::copy(names_of(option), std::back_inserter(words));
    return joined(words, " ");
}

// "    status:-o | status:--output) words="json text" ;;"
void write_bash_values(std::ostream& out, const Command& command)
{
    for (const Argument& option : command.options) {
        if (option.takes == Takes::nothing)
            continue;
        Texts patterns;
        for (const std::string& name : names_of(option))
            patterns.push_back(command.name + ":" + name);
        out << "    " << joined(patterns, " | ") << ") " << bash_reply(option) << " ;;\n";
    }
}

// Where no option asks for a value: what the command's argument can be, or its options.
void write_bash_words(std::ostream& out, const Command& command)
{
    const std::string options = "words=\"" + bash_words(command) + "\"";
    if (command.positionals.empty()) {
        out << "    " << command.name << ":*) " << options << " ;;\n";
        return;
    }
    out << "    " << command.name << ":-*) " << options << " ;;\n"
        << "    " << command.name << ":*) " << bash_reply(command.positionals.front()) << " ;;\n";
}

std::string bash_nodes_function(const std::string& program)
{
    return "_" + program + R"bash(_nodes()
{
    local where=''
    [[ $COMP_LINE =~ --health-bind-address[=\ ]+([^\ ]+) ]] && where=--health-bind-address=${BASH_REMATCH[1]}
    )bash" +
           nodes_command(program, R"(${where:+"$where"})") + "\n}\n";
}

std::string bash_script(const std::string& program, const Command& self, const std::vector<Command>& commands)
{
    std::ostringstream out;
    out << "# bash completion for " << program << "; see: " << program << " completion --help\n"
        << bash_nodes_function(program) << "_" << program << "()\n{\n"
        << R"(    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' words='' kind='' i
    [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]} # --option=value is three words here
    [[ $word == = ]] && word=''
    for ((i = 1; i < COMP_CWORD; ++i)); do
        case ${COMP_WORDS[i]} in
        )"
        << joined(names_of(commands), " | ") << R"() command=${COMP_WORDS[i]} && break ;;
        esac
    done
    COMPREPLY=()
    case $command:$before in
)";
    for (const Command& command : commands)
        write_bash_values(out, command);
    out << "    *)\n        case $command:$word in\n";
    std::ostringstream words;
    for (const Command& command : commands)
        write_bash_words(words, command);
    std::istringstream lines(words.str());
    for (std::string line; std::getline(lines, line);)
        out << "    " << line << "\n";
    out << "        :-*) words=\"" << bash_words(self) << "\" ;;\n"
        << "        *) words=\"" << joined(names_of(commands), " ") << "\" ;;\n"
        << R"(        esac
        ;;
    esac
    if [[ $kind == nodes ]]; then
        while IFS= read -r i; do # compgen -W would expand what a name may hold
            [[ $i == "$word"* && $i != *[^a-zA-Z0-9.-]* ]] && COMPREPLY+=("$i")
        done < <(_)"
        << program << R"(_nodes)
    elif [[ -n $kind ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen $kind -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    fi
}
)"
        << "complete -F _" << program << " " << program << "\n";
    return out.str();
}

// --- zsh

std::string in_single_quotes(const std::string& text)
{
    std::string quoted = "'";
    for (const char letter : text)
        quoted += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
    return quoted + "'";
}

std::string zsh_text(const std::string& text)
{
    return with_backslashes(text, "\\[]:");
}

// ":FILE:_files"
std::string zsh_value(const std::string& program, const Argument& argument)
{
    if (argument.takes == Takes::nothing)
        return "";
    const std::string start = ":" + zsh_text(argument.type) + ":";
    switch (argument.takes) {
    case Takes::choice:
        return start + "(" + joined(argument.choices, " ") + ")";
    case Takes::file:
        return start + "_files";
    case Takes::folder:
        return start + "_files -/";
    case Takes::node:
        return start + "_" + program + "_nodes";
    case Takes::nothing:
    case Takes::text:
        break;
    }
    return start + " ";
}

// Of each name a line, as _arguments of zshcompsys(1) has it: '(-o --output)--output=[text or
// json]:TEXT:(json text)'
void write_zsh_option(std::ostream& out, const std::string& program, const Argument& option,
                      std::string_view indent)
{
    const std::string others = option.repeats ? "*" : "(" + joined(names_of(option), " ") + ")";
    const auto write = [&](const std::string& name, const char* joint) {
        out << " \\\n"
            << indent
            << in_single_quotes(others + name + (option.takes == Takes::nothing ? "" : joint) + "[" +
                                zsh_text(option.about) + "]" + zsh_value(program, option));
    };
    for (const std::string& name : option.short_names)
        write("-" + name, "+");
    for (const std::string& name : option.long_names)
        write("--" + name, "=");
}

// Colons have backslashes in what _arguments keeps of the options before.
std::string zsh_nodes_function(const std::string& program)
{
    return "_" + program + R"zsh(_nodes()
{
    local where=${opt_args[--health-bind-address]//\\:/:}
    local -a names=(${(f)"$()zsh" +
           nodes_command(program, "${where:+--health-bind-address=$where}") + R"zsh()"})
    compadd "$@" -a names
}
)zsh";
}

std::string zsh_script(const std::string& program, const Command& self, const std::vector<Command>& commands)
{
    std::ostringstream out;
    out << "#compdef " << program << "\n# zsh completion for " << program << "; see: " << program
        << " completion --help\n"
        << zsh_nodes_function(program) << "_" << program
        << "()\n{\n    local state line\n    typeset -A opt_args\n"
        << "    local -a commands=(\n";
    for (const Command& command : commands)
        out << "        " << in_single_quotes(command.name + ":" + zsh_text(command.about)) << "\n";
    out << "    )\n    _arguments -C";
    for (const Argument& option : self.options)
        write_zsh_option(out, program, option, "        ");
    out << " \\\n        '1:command:->command' \\\n        '*::argument:->argument'\n"
        << "    case $state in\n    command) _describe command commands ;;\n    argument)\n        case "
           "$line[1] in\n";
    for (const Command& command : commands) {
        out << "        " << command.name << ")\n            _arguments";
        for (const Argument& option : command.options)
            write_zsh_option(out, program, option, "                ");
        for (const Argument& positional : command.positionals)
            out << " \\\n                " << in_single_quotes("1" + zsh_value(program, positional));
        out << "\n            ;;\n";
    }
    out << "        esac\n        ;;\n    esac\n}\n"
        << "if [[ $funcstack[1] == _" << program << " ]]; then\n    _" << program
        << " \"$@\"\nelse\n    compdef _" << program << " " << program << "\nfi\n";
    return out.str();
}

// --- fish

std::string fish_text(const std::string& text)
{
    return "'" + with_backslashes(text, "\\'") + "'";
}

std::string fish_value(const std::string& program, const Argument& argument)
{
    switch (argument.takes) {
    case Takes::choice:
        return " -x -a '" + joined(argument.choices, " ") + "'";
    case Takes::file:
        return " -r -F";
    case Takes::folder:
        return " -x -a '(__fish_complete_directories)'";
    case Takes::node:
        return " -x -a '(__" + program + "_nodes)'";
    case Takes::text:
        return " -x";
    case Takes::nothing:
        break;
    }
    return "";
}

void write_fish_option(std::ostream& out, const std::string& program, const std::string& start,
                       const Argument& option)
{
    out << start;
    for (const std::string& name : option.short_names)
        out << " -s " << name;
    for (const std::string& name : option.long_names)
        out << " -l " << name;
    out << fish_value(program, option) << " -d " << fish_text(option.about) << "\n";
}

std::string fish_nodes_function(const std::string& program)
{
    return "function __" + program + R"fish(_nodes
    set -l where (string match --regex -- '--health-bind-address[= ]+(\S+)' (commandline --current-process --cut-at-cursor))
    set --query where[2] && set where --health-bind-address=$where[2]
    )fish" +
           nodes_command(program, "$where") + "\nend\n";
}

std::string fish_script(const std::string& program, const Command& self, const std::vector<Command>& commands)
{
    std::ostringstream out;
    const std::string start = "complete -c " + program;
    out << "# fish completion for " << program << "; see: " << program << " completion --help\n"
        << fish_nodes_function(program) << start << " -f\n";
    for (const Argument& option : self.options)
        write_fish_option(out, program, start + " -n __fish_use_subcommand", option);
    for (const Command& command : commands)
        out << start << " -n __fish_use_subcommand -a " << command.name << " -d " << fish_text(command.about)
            << "\n";
    for (const Command& command : commands) {
        const std::string here = start + " -n '__fish_seen_subcommand_from " + command.name + "'";
        for (const Argument& option : command.options)
            write_fish_option(out, program, here, option);
        for (const Argument& positional : command.positionals)
            if (positional.takes == Takes::choice)
                out << here << " -a '" << joined(positional.choices, " ") << "'\n";
            else if (positional.takes == Takes::node)
                out << here << " -a '(__" << program << "_nodes)'\n";
            else if (positional.takes == Takes::file || positional.takes == Takes::folder)
                out << here << " -F\n";
    }
    return out.str();
}

} // namespace

const std::vector<std::string>& completion_shells()
{
    static const Texts shells = {"bash", "zsh", "fish"};
    return shells;
}

std::string completion_script(const CLI::App& app, std::string_view shell)
{
    const auto write = shell == "bash" ? bash_script : shell == "zsh" ? zsh_script : fish_script;
    return write(app.get_name(), command_of(app), commands_of(app));
}

void add_completion_command(CLI::App& app)
{
    const auto shell = std::make_shared<std::string>();
    CLI::App* command =
        app.add_subcommand("completion", "Print what makes a shell complete the words of this program");
    command->add_option("SHELL", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember(completion_shells()));
    command->footer(footer);
    command->callback([&app, shell] { std::cout << completion_script(app, *shell); });
}

} // namespace routelet::controller
