// The evaluator: a pattern in the first line, observed data behind it. The answer does not depend on how the pattern is
// written or on what is asked beside it, its witness is of the data, and its work is bounded.
#include "pattern/evaluate.h"

#include <array>
#include <string>

#include "fuzz/property.h"
#include "pattern/observation.h"
#include "pattern/pattern.h"

using namespace entente;
using fuzz::demand;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = fuzz::text_of(data, size);
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return 0;
  const auto parsed = pattern::Pattern::parse(text.substr(0, end));
  if (!parsed.ok()) return 0;
  const auto matcher = pattern::Matcher::compile(*parsed);
  if (!matcher.ok()) return 0;
  const auto observed = pattern::Observations::read(text.substr(end + 1), {.lenient = true});
  if (!observed.ok()) return 0;
  const pattern::MatchOptions options{.max_work = 200'000};
  const auto result = matcher->match(*observed, options);
  const auto check = [&](const pattern::MatchResult& r) {
    demand((r.outcome == pattern::Outcome::kMatched) == !r.witness.empty(),
           "a match has a witness, and nothing else has");
    for (const auto& b : r.witness) {
      demand(b.observation < observed->all().size(), "a witness is an observation of the data");
      demand(b.times >= 1 && b.times <= observed->all()[b.observation].count,
             "an observation serves as often as it was made");
    }
  };
  check(result);
  demand(matcher->match(*observed, options).outcome == result.outcome, "the same question, the same answer");

  const std::string printed = parsed->print();
  if (printed.size() < 60'000) {
    const auto again = pattern::Pattern::parse(printed);
    demand(again.ok(), "what is printed is read");
    const auto second = pattern::Matcher::compile(*again);
    demand(second.ok(), "what is printed can be evaluated");
    const auto other = second->match(*observed, options);
    demand(other.outcome == result.outcome || other.outcome == pattern::Outcome::kLimit ||
               result.outcome == pattern::Outcome::kLimit,
           "the printed pattern means the same");
  }
  static const auto kBeside =
      *pattern::Matcher::compile(*pattern::Pattern::parse("[ipv4-addr:value = '198.51.100.3']"));
  const std::array all{kBeside, *matcher, *matcher};
  const auto results = pattern::match_all(all, *observed, options);
  demand(results.size() == all.size(), "an answer to each");
  for (const auto& r : results) check(r);
  for (const size_t i : {size_t{1}, size_t{2}}) {
    demand(results[i].outcome == result.outcome || results[i].outcome == pattern::Outcome::kLimit ||
               result.outcome == pattern::Outcome::kLimit,
           "many patterns at once give the answers of each alone");
  }
  return 0;
}
