#include "controller/diagnosis/doctor_command.h"

#include "controller/diagnosis/explain.h"
#include "controller/status_command.h"

#include <iterator>
#include <ostream>

namespace routelet::controller {
namespace {

constexpr int is_good = 0;
constexpr int is_broken = 1;

std::vector<Look> look_at_agent(const HttpAddress& address)
{
    const Result<std::string> answer = ask_for_status(address);
    return controller::look_at_agent(answer ? parse_status(*answer) : answer.error());
}

} // namespace

int show_diagnosis(const DoctorOptions& options, std::ostream& out, std::ostream& errors)
{
    const Result<MachineFacts> machine = read_machine(options.machine);
    if (!machine) {
        errors << "routelet: " << machine.error() << "\n";
        return is_broken;
    }
    std::vector<Look> looks;
    if (options.health)
        looks = look_at_agent(*options.health);
    std::ranges::move(examine(*machine), std::back_inserter(looks));
    const std::string verdict =
        has_broken(looks) ? "Broken: " + broken_parts(looks) + ".\n" : "Nothing is broken.\n";
    const std::string text = to_text(looks, Painter(options.output.colours)) + verdict;
    out << formatted(to_json(looks), text, options.output.format);
    return has_broken(looks) ? is_broken : is_good;
}

} // namespace routelet::controller
