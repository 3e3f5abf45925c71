#include "packet/compose.h"

#include "base/bytes.h"

namespace entente::packet {
namespace {

uint16_t checksum(std::string_view bytes) {  // RFC 1071
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i)
    sum += static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << (i % 2 == 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void put_address(std::string& out, const Address& a) {
  out.append(reinterpret_cast<const char*>(a.b.data()), a.size());
}

void patch_u16(std::string& out, size_t at, uint16_t v) {
  out[at] = static_cast<char>(v >> 8);
  out[at + 1] = static_cast<char>(v);
}

// Sets the checksum of a transport segment over the pseudo-header (RFC 793, RFC 8200 §8.1).
void seal(std::string& segment, size_t at, const Flow& flow, uint8_t protocol) {
  std::string pseudo;
  put_address(pseudo, flow.src);
  put_address(pseudo, flow.dst);
  put_u32(pseudo, static_cast<uint32_t>(segment.size()));
  put_u32(pseudo, protocol);
  const uint16_t sum = checksum(pseudo + segment);
  patch_u16(segment, at, sum == 0 ? 0xffff : sum);
}

std::string frame(const Flow& flow, uint8_t protocol, std::string_view segment, const std::vector<uint16_t>& vlans) {
  std::string out("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01", 12);
  for (size_t i = 0; i < vlans.size(); ++i) {
    put_u16(out, i + 1 < vlans.size() ? 0x88a8 : 0x8100);
    put_u16(out, vlans[i]);
  }
  put_u16(out, flow.src.v6 ? 0x86dd : 0x0800);
  std::string ip;
  if (flow.src.v6) {
    put_u32(ip, 0x60000000);
    put_u16(ip, static_cast<uint16_t>(segment.size()));
    ip += static_cast<char>(protocol);
    ip += static_cast<char>(64);
  } else {
    put_u16(ip, 0x4500);
    put_u16(ip, static_cast<uint16_t>(20 + segment.size()));
    put_u32(ip, 0x00004000);
    ip += static_cast<char>(64);
    ip += static_cast<char>(protocol);
    put_u16(ip, 0);
  }
  put_address(ip, flow.src);
  put_address(ip, flow.dst);
  if (!flow.src.v6) patch_u16(ip, 10, checksum(ip));
  return out + ip + std::string(segment);
}

void put_name(std::string& out, std::string_view name) {
  while (!name.empty()) {
    const size_t dot = name.find('.');
    const std::string_view label = name.substr(0, dot);
    out += static_cast<char>(label.size());
    out += label;
    name.remove_prefix(dot == std::string_view::npos ? name.size() : dot + 1);
  }
  out += '\0';
}

std::string dns_header(uint16_t id, uint16_t flags, size_t answers) {
  std::string out;
  put_u16(out, id);
  put_u16(out, flags);
  put_u16(out, 1);
  put_u16(out, static_cast<uint16_t>(answers));
  put_u32(out, 0);
  return out;
}

void put_question(std::string& out, std::string_view name, DnsType type) {
  put_name(out, name);
  put_u16(out, static_cast<uint16_t>(type));
  put_u16(out, 1);
}

}  // namespace

std::string compose_udp(const Flow& flow, std::string_view payload, const std::vector<uint16_t>& vlans) {
  std::string segment;
  put_u16(segment, flow.src_port);
  put_u16(segment, flow.dst_port);
  put_u16(segment, static_cast<uint16_t>(8 + payload.size()));
  put_u16(segment, 0);
  segment += payload;
  seal(segment, 6, flow, kUdp);
  return frame(flow, kUdp, segment, vlans);
}

std::string compose_tcp(const Flow& flow, uint32_t sequence, uint8_t flags, std::string_view payload,
                        const std::vector<uint16_t>& vlans) {
  std::string segment;
  put_u16(segment, flow.src_port);
  put_u16(segment, flow.dst_port);
  put_u32(segment, sequence);
  put_u32(segment, 0);
  segment += static_cast<char>(0x50);
  segment += static_cast<char>(flags);
  put_u16(segment, 0xffff);
  put_u32(segment, 0);
  segment += payload;
  seal(segment, 16, flow, kTcp);
  return frame(flow, kTcp, segment, vlans);
}

std::string compose_dns_query(uint16_t id, std::string_view name, DnsType type) {
  std::string out = dns_header(id, 0x0100, 0);
  put_question(out, name, type);
  return out;
}

std::string compose_dns_response(uint16_t id, std::string_view question, DnsType type,
                                 const std::vector<DnsRecord>& answers) {
  std::string out = dns_header(id, 0x8180, answers.size());
  put_question(out, question, type);
  for (const DnsRecord& r : answers) {
    if (r.name == question) {
      put_u16(out, 0xc00c);
    } else {
      put_name(out, r.name);
    }
    put_u16(out, static_cast<uint16_t>(r.type));
    put_u16(out, 1);
    put_u32(out, r.ttl_s);
    std::string data;
    if (const auto address = parse_address(r.value)) {
      put_address(data, *address);
    } else {
      put_name(data, r.value);
    }
    put_u16(out, static_cast<uint16_t>(data.size()));
    out += data;
  }
  return out;
}

std::string compose_client_hello(std::string_view server_name, size_t padding) {
  const auto vector16 = [](std::string_view content) {
    std::string out;
    put_u16(out, static_cast<uint16_t>(content.size()));
    out += content;
    return out;
  };
  std::string extensions;
  if (padding > 0) {  // first, so that the name is in the last octets
    put_u16(extensions, 21);
    extensions += vector16(std::string(padding, '\0'));
  }
  put_u16(extensions, 43);  // supported_versions: TLS 1.3
  extensions += vector16(std::string_view("\x02\x03\x04", 3));
  if (!server_name.empty()) {
    put_u16(extensions, 0);
    extensions += vector16(vector16(std::string(1, '\0') + vector16(server_name)));
  }
  std::string body("\x03\x03", 2);
  body.append(32, 'r');
  body += '\0';                                       // session id
  body += vector16(std::string_view("\x13\x01", 2));  // cipher suites
  body.append("\x01\x00", 2);                         // compression
  body += vector16(extensions);

  std::string message("\x01\x00", 2);
  message += vector16(body);
  std::string out;  // records of at most 2^14 octets
  for (size_t at = 0; at < message.size(); at += 16384) {
    out.append("\x16\x03\x01", 3);
    out += vector16(std::string_view(message).substr(at, 16384));
  }
  return out;
}

}  // namespace entente::packet
