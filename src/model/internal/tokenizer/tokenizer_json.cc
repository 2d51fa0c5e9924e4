#include "model/internal/tokenizer/tokenizer_json.h"

#include <cstddef>

namespace switchyard::model::tokenization {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::size_t kMaxDepth = 64;

// Builds the tree and diverts model.vocab and model.merges. The names and signatures of the public
// functions are those that nlohmann's parser calls; false stops it.
class Reader {
 public:
  explicit Reader(TokenizerJson* out, bool diverts) : out_(out), diverts_(diverts) {}

  const std::string& failure() const { return failure_; }

  bool null() { return Value(nullptr); }
  bool boolean(bool value) { return Value(value); }
  bool number_integer(JsonTree::number_integer_t value) { return Number(value); }
  bool number_unsigned(JsonTree::number_unsigned_t value) {
    if (diverted_ == Diverted::kVocabulary && value > INT64_MAX) {
      return Refuse("a token id in model.vocab is too large");
    }
    return Number(value);
  }
  bool number_float(JsonTree::number_float_t value, const std::string&) { return Number(value); }
  bool binary(JsonTree::binary_t&) { return Refuse("binary values are not JSON"); }

  bool string(std::string& value) {
    switch (diverted_) {
      case Diverted::kNone:
        return Value(std::move(value));
      case Diverted::kVocabulary:
        return Refuse("a token id in model.vocab is not a number");
      case Diverted::kScoredVocabulary:
        if (inner_depth_ != 1 || inner_count_++ != 0) break;
        out_->scored_vocabulary.emplace_back(std::move(value), 0.0);
        return true;
      case Diverted::kMerges:
        if (inner_depth_ == 0) return SplitMerge(value);
        if (inner_count_ == 0) {
          out_->merges.emplace_back(std::move(value), std::string());
        } else if (inner_count_ == 1) {
          out_->merges.back().second = std::move(value);
        } else {
          break;
        }
        ++inner_count_;
        return true;
    }
    return RefuseEntry();
  }

  bool key(std::string& name) {
    if (diverted_ == Diverted::kVocabulary) {
      out_->vocabulary.emplace_back(std::move(name), -1);
      return true;
    }
    if (diverted_ != Diverted::kNone) return RefuseEntry();
    if (open_.size() == 1) in_model_ = name == "model";
    key_ = std::move(name);
    return true;
  }

  bool start_object(std::size_t) {
    if (diverted_ != Diverted::kNone) return RefuseEntry();
    if (AtModelMember("vocab")) {
      diverted_ = Diverted::kVocabulary;
      return true;
    }
    return Open(JsonTree::object());
  }
  bool end_object() {
    if (diverted_ == Diverted::kVocabulary) {
      diverted_ = Diverted::kNone;
      return true;
    }
    open_.pop_back();
    return true;
  }

  bool start_array(std::size_t) {
    if (diverted_ == Diverted::kVocabulary) {
      return Refuse("a token id in model.vocab is not a number");
    }
    if (diverted_ != Diverted::kNone) {
      if (++inner_depth_ > 1) return RefuseEntry();
      inner_count_ = 0;
      return true;
    }
    const bool is_merges = AtModelMember("merges");
    if (is_merges || AtModelMember("vocab")) {
      diverted_ = is_merges ? Diverted::kMerges : Diverted::kScoredVocabulary;
      inner_depth_ = 0;
      return true;
    }
    return Open(JsonTree::array());
  }
  bool end_array() {
    if (diverted_ == Diverted::kNone) {
      open_.pop_back();
      return true;
    }
    if (inner_depth_ == 0) {
      diverted_ = Diverted::kNone;
      return true;
    }
    --inner_depth_;
    return inner_count_ == 2 || RefuseEntry();
  }

  template <typename Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception&) {
    return Refuse("not valid JSON at byte " + std::to_string(position));
  }

 private:
  enum class Diverted { kNone, kVocabulary, kScoredVocabulary, kMerges };

  bool Refuse(std::string why) {
    failure_ = std::move(why);
    return false;
  }
  bool RefuseEntry() {
    switch (diverted_) {
      case Diverted::kMerges:
        return Refuse("model.merges must hold pairs of tokens, as \"a b\" or [\"a\", \"b\"]");
      case Diverted::kScoredVocabulary:
        return Refuse("model.vocab must hold pairs of a token and its score");
      default:
        return Refuse("model.vocab must map tokens to their ids");
    }
  }

  bool AtModelMember(std::string_view name) const {
    return diverts_ && in_model_ && open_.size() == 2 && open_.back()->is_object() && key_ == name;
  }

  // A merge as one string: two tokens and the one space between them.
  bool SplitMerge(const std::string& merge) {
    const std::size_t space = merge.find(' ');
    if (space == std::string::npos || merge.find(' ', space + 1) != std::string::npos) {
      return RefuseEntry();
    }
    out_->merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
    return true;
  }

  template <typename T>
  bool Number(T value) {
    if (diverted_ == Diverted::kNone) return Value(value);
    if (diverted_ == Diverted::kVocabulary) {
      if constexpr (std::is_floating_point_v<T>) return RefuseEntry();
      out_->vocabulary.back().second = static_cast<std::int64_t>(value);
      return true;
    }
    if (diverted_ == Diverted::kMerges || inner_depth_ != 1 || inner_count_++ != 1) {
      return RefuseEntry();
    }
    out_->scored_vocabulary.back().second = static_cast<double>(value);
    return true;
  }

  // Puts a value where the parser stands and gives its address.
  template <typename T>
  JsonTree* Place(T&& value) {
    if (open_.empty()) {
      out_->tree = std::forward<T>(value);
      return &out_->tree;
    }
    JsonTree& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::forward<T>(value));
      return &parent.back();
    }
    JsonTree& member = parent[key_];
    member = std::forward<T>(value);
    return &member;
  }
  template <typename T>
  bool Value(T&& value) {
    if (diverted_ != Diverted::kNone) return RefuseEntry();
    Place(std::forward<T>(value));
    return true;
  }
  bool Open(JsonTree container) {
    if (open_.size() >= kMaxDepth) return Refuse("JSON is nested too deeply");
    open_.push_back(Place(std::move(container)));
    return true;
  }

  TokenizerJson* out_;
  bool diverts_;
  std::string failure_;
  std::vector<JsonTree*> open_;  // the containers around the current place, outermost first
  std::string key_;              // of the value that comes next
  bool in_model_ = false;        // below the root's member "model"
  Diverted diverted_ = Diverted::kNone;
  std::size_t inner_depth_ = 0;  // of arrays below a diverted one
  std::size_t inner_count_ = 0;  // of values in such an array
};

base::Status Parse(std::string_view text, std::string_view subject, bool diverts,
                   TokenizerJson* out) {
  Reader reader(out, diverts);
  if (JsonTree::sax_parse(text, &reader)) return {};
  return Fail(ErrorCode::kInvalidArgument, "{}: {}", subject, reader.failure());
}

template <typename T>
base::Result<T> WrongType(const char* name, std::string_view expected) {
  return Fail(ErrorCode::kInvalidArgument, "'{}' must be {}", name, expected);
}

}  // namespace

base::Result<TokenizerJson> ParseTokenizerJson(std::string_view text) {
  TokenizerJson result;
  SWITCHYARD_RETURN_IF_ERROR(Parse(text, "tokenizer.json", /*diverts=*/true, &result));
  return result;
}

base::Result<JsonTree> ParseJsonTree(std::string_view text, std::string_view subject) {
  TokenizerJson result;
  SWITCHYARD_RETURN_IF_ERROR(Parse(text, subject, /*diverts=*/false, &result));
  return std::move(result.tree);
}

const JsonTree* FindMember(const JsonTree& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

base::Result<bool> BoolMember(const JsonTree& object, const char* name, bool fallback) {
  const JsonTree* member = FindMember(object, name);
  if (!member) return fallback;
  if (!member->is_boolean()) return WrongType<bool>(name, "true or false");
  return member->get<bool>();
}

base::Result<std::string> StringMember(const JsonTree& object, const char* name,
                                       std::string_view fallback) {
  const JsonTree* member = FindMember(object, name);
  if (!member) return std::string(fallback);
  if (!member->is_string()) return WrongType<std::string>(name, "a string");
  return member->get<std::string>();
}

base::Result<std::string> RequiredStringMember(const JsonTree& object, const char* name) {
  if (!FindMember(object, name)) return WrongType<std::string>(name, "given, as a string");
  return StringMember(object, name, "");
}

base::Result<std::int64_t> IntMember(const JsonTree& object, const char* name,
                                     std::int64_t fallback) {
  const JsonTree* member = FindMember(object, name);
  if (!member) return fallback;
  const bool fits = member->is_number_integer() &&
                    !(member->is_number_unsigned() && member->get<std::uint64_t>() > INT64_MAX);
  if (!fits) return WrongType<std::int64_t>(name, "an integer");
  return member->get<std::int64_t>();
}

base::Result<const JsonTree*> ArrayMember(const JsonTree& object, const char* name) {
  const JsonTree* member = FindMember(object, name);
  if (member && !member->is_array()) return WrongType<const JsonTree*>(name, "an array");
  return member;
}

}  // namespace switchyard::model::tokenization
