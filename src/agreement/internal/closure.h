// Steps 8 to 10 of release.md §3: what follows for each object from what became of the others. The greatest set that
// obeys the rules of §4, found by taking objects out until nothing changes; the result does not depend on the order of
// visits.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agreement/decide.h"
#include "agreement/internal/facts.h"
#include "agreement/internal/id_index.h"
#include "agreement/internal/leak.h"

namespace entente::agreement::internal {

// An object after its own decision (steps 2–7).
struct Entry {
  const Facts* facts = nullptr;       // of what would be sent
  const Facts* original = nullptr;    // of the raw text
  std::string_view text;              // what would be sent, before references are rewritten
  std::vector<std::string> stripped;  // values taken out of it
  bool alive = false;                 // may be released, as far as it alone is concerned
  bool changed = false;               // differs from the raw text
  bool victim = false;                // what it is called is looked for everywhere once it is not given
  bool known = false;                 // the recipient has it
  std::string_view known_id;          // under this id, if that is certain
  std::string_view key;               // K_agreement of its governing instrument, "" if there is none
  // Results.
  std::string new_id;                                                   // if changed
  std::vector<std::pair<std::string_view, std::string_view>> mentions;  // ids in its text that are rewritten: old, new
};

struct Failure {
  std::string_view code;
  std::string note;
};

class Closure {
 public:
  // `published`: ids that references may name whatever happens to the object: TLP definitions, public identities.
  Closure(std::vector<Entry>& nodes, const IdIndex& groups, const std::vector<bool>& published,
          std::string_view my_identity);
  void run();

  // After run(): every reason why `i`, which was alive before, is not any more.
  [[nodiscard]] std::vector<Failure> failures(size_t i) const;
  // The id to write for a reference; nullopt if it is not to be named.
  [[nodiscard]] std::optional<std::string_view> resolve(std::string_view id) const;

 private:
  enum class Fate : uint8_t { kSame, kChanged, kGone };
  struct Verdict {
    bool changed = false;
    std::vector<Failure> failures;
  };
  struct Mention {  // of an id, in text
    uint32_t carrier;
    bool hidden;  // in a form that cannot be rewritten
  };
  // How many objects of one type bear a name. A name that the recipient reads by right in another object of the same
  // type is no secret: many indicators share one label. A malware that is withheld is not to be named in an indicator,
  // however many are called after it.
  struct Bearers {
    std::string_view type;
    uint32_t open = 0, gone = 0, victims_gone = 0;
  };
  struct Tally {  // of tokens in one text
    std::vector<uint32_t> found, plain, hidden;
  };
  struct Token {
    bool stripped = false;  // taken out of an object: may occur nowhere
    std::vector<Bearers> bearers;
    std::vector<uint32_t> carriers;
    std::vector<std::pair<std::string, bool>> spellings;  // as looked for, and whether inside words too
  };

  [[nodiscard]] Verdict examine(uint32_t i, bool collect) const;
  void references(uint32_t i, Verdict& v, bool collect) const;
  void texts(uint32_t i, Verdict& v, bool collect) const;
  void settle(std::vector<uint32_t> queue);
  void update_group(int32_t g);
  void index_members();
  void index_holders();
  [[nodiscard]] std::span<const uint32_t> members(size_t group) const {
    return std::span(members_).subspan(member_begin_[group], member_begin_[group + 1] - member_begin_[group]);
  }
  // Its names count: neither unreadable nor public.
  [[nodiscard]] bool named(const Entry& n) const {
    return n.original->valid && !published_[static_cast<size_t>(n.original->group)];
  }
  static bool says(const Entry& n, std::string_view text);
  // The recipient has all of it, names included. One that it has under another id it has without some, and what it has
  // under an id that is not certain it may have so.
  static bool reads_whole(const Entry& n) { return n.known && n.known_id == n.original->id; }
  void look_for(std::string_view text, bool stripped, LeakScanner& scanner);
  void find_bearers(uint32_t first);
  std::vector<uint32_t> find_mentions(bool all);
  bool read_mentions(uint32_t i, Tally& tally);
  [[nodiscard]] bool speaks_of_itself_alone(uint32_t i, uint32_t token) const;
  void make_new_id(uint32_t i);
  [[nodiscard]] bool speaks_of_gone(uint32_t token, uint32_t carrier) const;
  Bearers& bearers_of(uint32_t token, std::string_view type);

  std::vector<Entry>& nodes_;
  const IdIndex& groups_;
  const std::vector<bool>& published_;
  std::string_view my_identity_;
  std::vector<uint32_t> member_begin_, members_;  // group -> its objects: versions of one id
  std::vector<Fate> fate_;
  std::vector<std::string_view> new_id_;          // of each group, if kChanged
  std::vector<uint32_t> holder_begin_, holders_;  // group -> objects that refer to it
  std::vector<bool> changed_alone_;               // when run() began
  std::vector<bool> passed_;       // alive when run() began: their texts are read, if only for the reasons
  std::vector<int32_t> group_of_;  // of each object, -1 if it cannot be read
  bool scanned_ = false;
  std::vector<bool> looked_for_, names_looked_for_;    // ids of a group; names of an object
  std::unordered_map<std::string, uint32_t> numbers_;  // folded name -> token
  std::vector<Token> tokens_;
  std::vector<std::vector<uint32_t>> token_of_node_, token_in_carrier_;
  std::unordered_map<int32_t, std::vector<Mention>> id_mentions_;               // group -> carriers
  std::unordered_map<uint32_t, std::vector<std::pair<int32_t, bool>>> ids_in_;  // carrier -> (group, hidden)
};

}  // namespace entente::agreement::internal
