#include "base/bytes.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace entente {
namespace {

// RFC 4648 §10.
TEST(Base64, VectorsOfTheRfc) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(base64(plain), text);
    EXPECT_EQ(unbase64(text).value(), plain);
  }
  EXPECT_EQ(base64url("\xfb\xff\xfe"), "-__-");
}

RC_GTEST_PROP(Bytes, TextFormsReadBack, (const std::string& s)) {
  RC_ASSERT(unhex(hex(s)).value() == s);
  RC_ASSERT(unbase64(base64(s)).value() == s);
  RC_ASSERT(unbase64url(base64url(s)).value() == s);
}

// What is accepted is the only text of its octets: signatures must not have two spellings.
RC_GTEST_PROP(Base64, AcceptedTextIsCanonical, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("AQgwZ/+-_=8 ")));
  if (const auto r = unbase64(text); r.ok()) RC_ASSERT(base64(*r) == text);
  if (const auto r = unbase64url(text); r.ok()) RC_ASSERT(base64url(*r) == text);
}

TEST(Base64, RefusesLooseForms) {
  for (const char* bad : {"Zg", "Zg=", "Zh==", "Zg==\n", " Zg==", "Z===", "====", "Zg==Zg=="})
    EXPECT_FALSE(unbase64(bad).ok()) << bad;
  for (const char* bad : {"Zg==", "Z", "Zh", "Zm8=", "+/", "Zm 9v"}) EXPECT_FALSE(unbase64url(bad).ok()) << bad;
}

TEST(Hex, RefusesOddAndForeign) {
  EXPECT_FALSE(unhex("abc").ok());
  EXPECT_FALSE(unhex("0g").ok());
  EXPECT_EQ(unhex("00FFfe").value(), std::string("\x00\xff\xfe", 3));
}

RC_GTEST_PROP(ByteReader, ReadsWhatWasPut, (uint16_t a, uint32_t b, uint64_t c, const std::string& d)) {
  std::string out;
  put_u16(out, a);
  put_u32(out, b);
  put_u64(out, c);
  put_bytes(out, d);
  ByteReader in(out);
  RC_ASSERT(in.u16() == a);
  RC_ASSERT(in.u32() == b);
  RC_ASSERT(in.u64() == c);
  RC_ASSERT(in.bytes() == d);
  RC_ASSERT(in.done());
}

RC_GTEST_PROP(ByteReader, ShortReadsGiveZerosForEver, (const std::string& s)) {
  ByteReader in(s);
  in.take(s.size() + 1);
  RC_ASSERT(!in.ok());
  RC_ASSERT(in.u64() == 0u);
  RC_ASSERT(in.bytes().empty());
  RC_ASSERT(!in.done());
}

TEST(ByteReader, LengthBeyondTheEndIsRefused) {
  ByteReader in(
      std::string_view("\xff\xff\xff\xff"
                       "abc",
                       7));
  EXPECT_TRUE(in.bytes().empty());
  EXPECT_FALSE(in.ok());
}

TEST(Bytes, BigEndian) {
  std::string out;
  put_u64(out, 0x0102030405060708u);
  EXPECT_EQ(hex(out), "0102030405060708");
}

// RFC 3629 §3 and §4: no overlong forms, no surrogates, nothing above U+10FFFF.
TEST(Utf8, EdgesOfTheRanges) {
  for (const char* good : {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "0123456789abcdef\xe6\xbc\xa2"}) {
    EXPECT_TRUE(valid_utf8(good)) << hex(good);
  }
  for (const char* bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe6\xbc", "01234567\xe6\xbc", "\xc2\xc2\x80"}) {
    EXPECT_FALSE(valid_utf8(bad)) << hex(bad);
  }
}

RC_GTEST_PROP(Printable, IsAlwaysUtf8WithoutControls, (const std::string& s)) {
  const auto out = printable(s, 1000);
  RC_ASSERT(valid_utf8(out));
  for (const char c : out) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "x"),
            "\\xe2\\x80\\xaex");  // right-to-left override
  EXPECT_EQ(printable("協力"), "協力");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("abc", 3), "abc");
}

}  // namespace
}  // namespace entente
