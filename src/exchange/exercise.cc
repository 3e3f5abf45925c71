#include "exchange/exercise.h"

#include "base/bytes.h"

namespace entente::exchange {
namespace {

bool is_marked(const json::Value& object) { return json::find_bool(object, kExerciseMark).value_or(false); }
bool bears_marks(const json::Value& object) {
  return json::find_string(object, "type").value_or("") != "marking-definition";
}

Error mixed(bool exercise, const std::string& what, std::string where) {
  return make_error(
      ErrorKind::kDenied,
      exercise ? "EXERCISE: this node is for exercises, and " + what + " is not of one"
               : "EXERCISE: " + what + " is of an exercise, and this node is not for exercises",
      std::move(where),
      exercise ? "use the node that is not for exercises" : "use the node that 'entente exercise new' made");
}

}  // namespace

Status exercise_allows(bool exercise, const agreement::SignedAct& act) {
  for (const auto& s : act.sigs) {
    if (agreement::is_exercise_kid(s.kid) != exercise)
      return mixed(exercise, "the key " + printable(s.kid, 64), act.act.hash().substr(0, 16));
  }
  const json::Node* document = act.act.body.find("document");
  if (document == nullptr || !document->is_object()) return {};
  const json::Node* flag = document->find("exercise");
  const bool of_one = flag != nullptr && flag->is_bool() && flag->boolean();
  if (of_one != exercise) return mixed(exercise, "the text", act.act.agreement_id);
  return {};
}

std::string exercise_refuses(bool exercise, const json::Value& object) {
  if (!bears_marks(object) || is_marked(object) == exercise) return {};
  return exercise ? "EXERCISE: it is not marked as of an exercise, and this node is for exercises"
                  : "EXERCISE: it is marked as of an exercise, and this node is not for exercises";
}

std::string exercise_marked(std::string_view raw, const json::Value& object) {
  const size_t brace = raw.find('{');
  if (!bears_marks(object) || is_marked(object) || brace == std::string_view::npos) return std::string(raw);
  std::string out(raw.substr(0, brace + 1));
  out += '"';
  out += kExerciseMark;
  out += "\":true,";
  out += raw.substr(brace + 1);
  return out;
}

}  // namespace entente::exchange
