// What keeps an exercise apart from the real thing, at the edges of a node: an exercise node has keys of its own whose
// names say so (agreement/document.h), takes acts and texts of exercises alone, and marks what its people publish;
// every other node refuses acts, texts and objects of exercises. Pure.
#pragma once

#include <string>
#include <string_view>

#include "agreement/act.h"
#include "base/result.h"
#include "json/json.h"

namespace entente::exchange {

inline constexpr std::string_view kExerciseMark = "x_entente_exercise";

// May a node of this kind take the act? By its signatures and the text that it carries.
[[nodiscard]] Status exercise_allows(bool exercise, const agreement::SignedAct& act);
// May a node of this kind hold the object? The sentence that refuses it, or "". Marking definitions are of both worlds.
[[nodiscard]] std::string exercise_refuses(bool exercise, const json::Value& object);
// The object with the mark, as an exercise node publishes it; as it is where it has the mark, or bears none.
[[nodiscard]] std::string exercise_marked(std::string_view raw, const json::Value& object);

}  // namespace entente::exchange
