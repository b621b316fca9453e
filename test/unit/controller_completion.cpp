#include "controller/command_line/completion.h"
#include "test/support/catch.h"

#include <CLI/CLI.hpp>

using namespace routelet::controller;
using namespace routelet::test;

namespace {

// A program with an option of each kind.
struct Program {
    CLI::App app{"A program", "tool"};
    std::string value;
    std::vector<std::string> values;
    bool flag = false;

    Program()
    {
        CLI::App* show = app.add_subcommand("show", "Show it; at length. And so on");
        show->add_option("-o,--output", value, "How")->check(CLI::IsMember({"text", "json"}));
        show->add_option("--from", value, "Where [it] is: there")->type_name("FILE");
        show->add_option("--root", value, "It's a folder")->type_name("DIR");
        show->add_option("--name", value, "Any text");
        show->add_option("--node", value, "A node")->type_name("NODE");
        show->add_option("--net", values, "Several");
        show->add_flag("--all", flag, "All of it");
        app.add_subcommand("tell", "Tell whom")
            ->add_option("WHOM", value, "Of two")
            ->required()
            ->check(CLI::IsMember({"one", "two"}));
        app.add_subcommand("find", "Find it")->add_option("ADDRESS|NODE", value, "Where");
    }
    std::string script(const char* shell) const { return completion_script(app, shell); }
};

} // namespace

TEST_CASE("bash is told commands, options, and what an option takes", "[completion]")
{
    const std::string script = Program().script("bash");
    CHECK_THAT(script, has_text("show | tell | find) command="));
    CHECK_THAT(script, has_text("show:-o | show:--output) words=\"text json\" ;;"));
    CHECK_THAT(script, has_text("show:--from) kind=-f ;;"));
    CHECK_THAT(script, has_text("show:--root) kind=-d ;;"));
    CHECK_THAT(script, has_text("show:--name) return ;;"));
    CHECK_THAT(script, has_text("show:--node) kind=nodes ;;"));
    CHECK_THAT(script, has_text("find:*) kind=nodes ;;"));
    CHECK_THAT(script,
               has_text("    command tool status -o name --timeout 2 ${where:+\"$where\"} 2>/dev/null\n"));
    CHECK_THAT(script, has_text("show:--net) return ;;"));
    CHECK_THAT(script, !has_text("show:--all)")); // what follows a flag is the next word
    CHECK_THAT(script, has_text("tell:*) words=\"one two\" ;;"));
    CHECK_THAT(script, has_text("words=\"-h --help -o --output --from --root --name --node --net --all\""));
    CHECK_THAT(script, has_text("complete -F _tool tool\n"));
}

TEST_CASE("zsh is told the same, with each option's first clause", "[completion]")
{
    const std::string script = Program().script("zsh");
    CHECK_THAT(script, has_text("#compdef tool\n"));
    CHECK_THAT(script, has_text("'show:Show it'\n"));
    CHECK_THAT(script, has_text("'(-o --output)-o+[How]:TEXT:(text json)'"));
    CHECK_THAT(script, has_text("'(-o --output)--output=[How]:TEXT:(text json)'"));
    CHECK_THAT(script, has_text("'(--from)--from=[Where \\[it\\] is\\: there]:FILE:_files'"));
    CHECK_THAT(script, has_text("'(--root)--root=[It'\\''s a folder]:DIR:_files -/'"));
    CHECK_THAT(script, has_text("'*--net=[Several]:TEXT: '"));
    CHECK_THAT(script, has_text("'(--all)--all[All of it]'"));
    CHECK_THAT(script, has_text("'1:WHOM:(one two)'"));
    CHECK_THAT(script, has_text("'(--node)--node=[A node]:NODE:_tool_nodes'"));
    CHECK_THAT(script, has_text("'1:ADDRESS|NODE:_tool_nodes'"));
    CHECK_THAT(script, has_text("$(command tool status -o name --timeout 2 "));
}

TEST_CASE("fish is told the same", "[completion]")
{
    const std::string script = Program().script("fish");
    const std::string show = "complete -c tool -n '__fish_seen_subcommand_from show'";
    CHECK_THAT(script, has_text("complete -c tool -n __fish_use_subcommand -a show -d 'Show it'\n"));
    CHECK_THAT(script, has_text(show + " -s o -l output -x -a 'text json' -d 'How'\n"));
    CHECK_THAT(script, has_text(show + " -l from -r -F -d"));
    CHECK_THAT(script,
               has_text(show + " -l root -x -a '(__fish_complete_directories)' -d 'It\\'s a folder'\n"));
    CHECK_THAT(script, has_text(show + " -l all -d 'All of it'\n"));
    CHECK_THAT(script, has_text("'__fish_seen_subcommand_from tell' -a 'one two'\n"));
    CHECK_THAT(script, has_text(show + " -l node -x -a '(__tool_nodes)' -d 'A node'\n"));
    CHECK_THAT(script, has_text("'__fish_seen_subcommand_from find' -a '(__tool_nodes)'\n"));
    CHECK_THAT(script, has_text("    command tool status -o name --timeout 2 $where 2>/dev/null\n"));
}

TEST_CASE("all shells that are offered have a script of their own", "[completion]")
{
    const Program program;
    CHECK(completion_shells() == std::vector<std::string>{"bash", "zsh", "fish"});
    for (const std::string& shell : completion_shells())
        CHECK_THAT(program.script(shell.c_str()), has_text(shell + " completion for tool"));
}
