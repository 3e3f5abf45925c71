// One right object per type of the standard, for tests to break.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace entente::stix {

// Type → JSON text of an object that has neither error nor warning.
inline std::map<std::string, std::string> right_objects() {
  std::map<std::string, std::string> out;
  const auto add = [&](const std::string& type, const std::string& version, const std::string& common,
                       const std::string& own) {
    out[type] = R"({"type":")" + type + R"(","spec_version":"2.1","id":")" + type + "--8e2e2d2b-17d4-" + version +
                R"(cbf-938f-98ee46b3cd3f")" + common + (own.empty() ? "" : ",") + own + "}";
  };
  const auto sdo = [&](const std::string& type, const std::string& own) {
    add(type, "4", R"(,"created":"2020-01-01T00:00:00.000Z","modified":"2020-01-01T00:00:00.000Z")", own);
  };
  sdo("attack-pattern",
      R"("name":"Spear Phishing","external_references":[{"source_name":"capec","external_id":"CAPEC-163"}])");
  sdo("campaign",
      R"("name":"Green Group Attacks","first_seen":"2020-01-01T00:00:00Z","last_seen":"2020-01-01T00:00:00Z")");
  sdo("course-of-action", R"("name":"Block it")");
  sdo("grouping",
      R"("name":"g","context":"suspicious-activity","object_refs":["indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"])");
  sdo("identity", R"("name":"John Smith","identity_class":"individual","sectors":["technology"])");
  sdo("incident", R"("name":"Incident 43")");
  sdo("indicator",
      R"("indicator_types":["malicious-activity"],"pattern":"[file:size = 1]","pattern_type":"stix",)"
      R"("valid_from":"2020-01-01T00:00:00Z","labels":["x"],"confidence":50,"lang":"en",)"
      R"("granular_markings":[{"marking_ref":"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed","selectors":["labels.[0]"]}])");
  sdo("infrastructure", R"("name":"C2","infrastructure_types":["command-and-control"])");
  sdo("intrusion-set",
      R"("name":"Bobcat","goals":["x"],"resource_level":"organization","primary_motivation":"ideology")");
  sdo("location", R"("latitude":48.8566,"longitude":2.3522,"precision":10)");
  sdo("malware", R"("is_family":true,"name":"Cryptolocker","malware_types":["ransomware"])");
  sdo("malware-analysis", R"("product":"microsoft","result":"malicious")");
  sdo("note", R"("content":"x","object_refs":["campaign--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"])");
  sdo("observed-data",
      R"("first_observed":"2020-01-01T00:00:00Z","last_observed":"2020-01-01T00:00:01Z","number_observed":50,)"
      R"("object_refs":["ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"])");
  sdo("opinion", R"("opinion":"strongly-disagree","object_refs":["report--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"])");
  sdo("report",
      R"("name":"r","report_types":["campaign"],"published":"2020-01-01T00:00:00Z","object_refs":["campaign--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"])");
  sdo("threat-actor", R"("name":"Evil Org","threat_actor_types":["crime-syndicate"],"roles":["director"])");
  sdo("tool", R"("name":"VNC","tool_types":["remote-access"])");
  sdo("vulnerability",
      R"("name":"CVE-2016-1234","external_references":[{"source_name":"cve","external_id":"CVE-2016-1234"}])");
  sdo("relationship",
      R"("relationship_type":"indicates","source_ref":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",)"
      R"("target_ref":"malware--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","start_time":"2020-01-01T00:00:00Z","stop_time":"2020-01-02T00:00:00Z")");
  sdo("sighting", R"("sighting_of_ref":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","count":3)");
  sdo("language-content",
      R"("object_ref":"campaign--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","contents":{"de":{"name":"Bank","goals":["",""]}})");
  sdo("extension-definition",
      R"("created_by_ref":"identity--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","name":"x","description":"d","schema":"s","version":"1.2.1",)"
      R"("extension_types":["property-extension"])");
  add("marking-definition", "4",
      R"(,"created":"2020-01-01T00:00:00.000Z","extensions":{"extension-definition--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f":)"
      R"({"extension_type":"property-extension","level":1}})",
      "");

  // Observables: the id must be that of the contributing properties for there to be no warning; tests set it.
  const auto sco = [&](const std::string& type, const std::string& own) { add(type, "5", "", own); };
  sco("artifact", R"("payload_bin":"VGhl","mime_type":"image/jpeg")");
  sco("autonomous-system", R"("number":15139)");
  sco("directory", R"("path":"C:\\Windows")");
  sco("domain-name", R"("value":"example.com")");
  sco("email-addr", R"("value":"john@example.com")");
  sco("email-message",
      R"("is_multipart":false,"subject":"Saying Hello","body":"x","additional_header_fields":{"X-Mailer":["a"]})");
  sco("file",
      R"("name":"foo.exe","hashes":{"MD5":"d41d8cd98f00b204e9800998ecf8427e"},"size":25,"extensions":{"windows-pebinary-ext":{"pe_type":"exe","number_of_sections":4}})");
  sco("ipv4-addr", R"("value":"198.51.100.0/24")");
  sco("ipv6-addr", R"("value":"2001:db8::/96")");
  sco("mac-addr", R"("value":"d2:fb:49:24:37:18")");
  sco("mutex", R"("name":"__CLEANSWEEP__")");
  sco("network-traffic",
      R"("protocols":["ipv4","tcp"],"src_ref":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4","src_port":2487,"is_active":false,"start":"2020-01-01T00:00:00Z","end":"2020-01-01T00:00:00Z")");
  add("process", "4", "", R"("pid":1221,"environment_variables":{"PATH":"/bin"})");
  sco("software",
      R"("name":"Word","cpe":"cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*:*","vendor":"Microsoft","languages":["en"])");
  sco("url", R"("value":"https://example.com/x")");
  sco("user-account", R"("user_id":"1001","account_type":"unix","extensions":{"unix-account-ext":{"gid":1001}})");
  sco("windows-registry-key",
      R"("key":"HKEY_LOCAL_MACHINE\\System\\Foo","values":[{"name":"Foo","data":"qwerty","data_type":"REG_SZ"}])");
  sco("x509-certificate", R"("serial_number":"36:f7","x509_v3_extensions":{"key_usage":"x"})");
  out["bundle"] = R"({"type":"bundle","id":"bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","objects":[{"type":"x"}]})";
  return out;
}

}  // namespace entente::stix
