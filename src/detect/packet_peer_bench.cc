// entente_packet_peer_bench FILE: what others need for the packets of entente_packet_bench (`--pcap FILE` writes them),
// by the CPU time of this thread, median of three. Nothing is looked up.
//   libpcap: pcap_next_ex alone, and with our decoder behind it; libtins: a tree of objects for each packet, and DNS
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

#include <pcap.h>
#include <tins/tins.h>

#include "packet/decode.h"

namespace {

double cpu_s() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

template <class Fn>
bool measure(const char* what, const char* file, size_t most, const Fn& fn) {
  std::vector<double> rates;
  size_t n = 0;
  for (int round = 0; round < 3; ++round) {
    char error[PCAP_ERRBUF_SIZE];
    pcap_t* capture = pcap_open_offline(file, error);
    if (capture == nullptr) {
      std::fprintf(stderr, "%s\n", error);
      return false;
    }
    pcap_pkthdr* head = nullptr;
    const unsigned char* data = nullptr;
    n = 0;
    const double begin = cpu_s();
    while (n < most && pcap_next_ex(capture, &head, &data) == 1) {
      ++n;
      fn(*head, data);
    }
    rates.push_back(static_cast<double>(n) / (cpu_s() - begin) / 1e6);
    pcap_close(capture);
  }
  std::sort(rates.begin(), rates.end());
  std::printf("%-28s %6.2f Mpps, %4.0f ns a packet (%zu packets)\n", what, rates[1], 1e3 / rates[1], n);
  return n > 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  using namespace entente::packet;
  if (!measure("libpcap, next_ex alone", argv[1], SIZE_MAX, [](const pcap_pkthdr&, const unsigned char*) {})) return 2;
  Sink nothing;
  Decoder decoder(nothing);
  measure("libpcap + our decoder", argv[1], SIZE_MAX, [&](const pcap_pkthdr& h, const unsigned char* data) {
    decoder.decode({.bytes = {reinterpret_cast<const char*>(data), h.caplen}, .length = h.len});
  });
  size_t names = 0;
  measure("libtins, with DNS", argv[1], 300'000, [&](const pcap_pkthdr& h, const unsigned char* data) {
    try {
      Tins::EthernetII ethernet(data, h.caplen);
      const auto* udp = ethernet.find_pdu<Tins::UDP>();
      if (udp == nullptr || (udp->dport() != 53 && udp->sport() != 53)) return;
      names += udp->rfind_pdu<Tins::RawPDU>().to<Tins::DNS>().queries().size();
    } catch (const std::exception&) {
    }
  });
  return names > 0 ? 0 : 1;
}
