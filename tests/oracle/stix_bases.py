"""A right object of every type of STIX 2.1 with as many of its properties as may stand together, written from the standard and not from the program's tables."""
U = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
V = "8e2e2d2b-17d4-5cbf-938f-98ee46b3cd3f"
T, T2 = "2020-01-01T00:00:00.000Z", "2021-01-01T00:00:00.000Z"
TLP = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
SHA256 = "6db12788c37247f2316052e142f42f4b259d6561751e5f401a1ae2a6df9c674b"
HASHES = {"MD5": "d41d8cd98f00b204e9800998ecf8427e", "SHA-1": "da39a3ee5e6b4b0d3255bfef95601890afd80709", "SHA-256": SHA256}
PHASES = [{"kill_chain_name": "lockheed-martin-cyber-kill-chain", "phase_name": "reconnaissance"}]


def ref(kind, sco=False):
    return f"{kind}--{V if sco else U}"


def sdo(kind, **own):
    return {"type": kind, "spec_version": "2.1", "id": ref(kind), "created_by_ref": ref("identity"), "created": T, "modified": T, "revoked": False, "labels": ["x"], "confidence": 50, "lang": "en",
            "external_references": [{"source_name": "veris", "description": "d", "url": "https://x.example/a", "hashes": {"SHA-256": SHA256}, "external_id": "0001AA7F"}],
            "object_marking_refs": [TLP], "granular_markings": [{"marking_ref": TLP, "selectors": ["labels.[0]"]}], **own}


def sco(kind, **own):
    return {"type": kind, "spec_version": "2.1", "id": ref(kind, True), "object_marking_refs": [TLP], "granular_markings": [{"marking_ref": TLP, "selectors": ["type"]}], "defanged": False, **own}


SEEN = {"first_seen": T, "last_seen": T2}
EXT = "extension-definition--" + U

OBJECTS = [
    sdo("attack-pattern", name="n", description="d", aliases=["a"], kill_chain_phases=PHASES),
    sdo("campaign", name="n", description="d", aliases=["a"], objective="o", **SEEN),
    sdo("course-of-action", name="n", description="d"),
    sdo("grouping", name="n", description="d", context="suspicious-activity", object_refs=[ref("indicator")]),
    sdo("identity", name="n", description="d", roles=["r"], identity_class="individual", sectors=["technology"], contact_information="c"),
    sdo("incident", name="n", description="d"),
    sdo("indicator", name="n", description="d", indicator_types=["malicious-activity"], pattern="[file:size = 1]", pattern_type="stix", pattern_version="2.1", valid_from=T, valid_until=T2, kill_chain_phases=PHASES),
    sdo("infrastructure", name="n", description="d", infrastructure_types=["botnet"], aliases=["a"], kill_chain_phases=PHASES, **SEEN),
    sdo("intrusion-set", name="n", description="d", aliases=["a"], goals=["g"], resource_level="organization", primary_motivation="ideology", secondary_motivations=["revenge"], **SEEN),
    sdo("location", name="n", description="d", latitude=48.8566, longitude=2.3522, precision=10.0, region="western-europe", country="fr", administrative_area="a", city="Paris", street_address="s", postal_code="75001"),
    sdo("malware", name="n", description="d", malware_types=["worm"], is_family=False, aliases=["a"], kill_chain_phases=PHASES, operating_system_refs=[ref("software", True)], architecture_execution_envs=["x86"],
        implementation_languages=["c"], capabilities=["anti-vm"], sample_refs=[ref("file", True)], **SEEN),
    sdo("malware-analysis", product="microsoft", version="1", host_vm_ref=ref("software", True), operating_system_ref=ref("software", True), installed_software_refs=[ref("software", True)], configuration_version="1",
        modules=["m"], analysis_engine_version="1", analysis_definition_version="1", submitted=T, analysis_started=T, analysis_ended=T2, result_name="r", result="malicious",
        analysis_sco_refs=[ref("file", True)], sample_ref=ref("file", True)),
    sdo("note", abstract="a", content="c", authors=["a"], object_refs=[ref("campaign")]),
    sdo("observed-data", first_observed=T, last_observed=T2, number_observed=5, object_refs=[ref("ipv4-addr", True)]),
    sdo("opinion", explanation="e", authors=["a"], opinion="agree", object_refs=[ref("report")]),
    sdo("report", name="n", description="d", report_types=["campaign"], published=T, object_refs=[ref("campaign")]),
    sdo("threat-actor", name="n", description="d", threat_actor_types=["spy"], aliases=["a"], roles=["agent"], goals=["g"], sophistication="expert", resource_level="team", primary_motivation="ideology",
        secondary_motivations=["revenge"], personal_motivations=["revenge"], **SEEN),
    sdo("tool", name="n", description="d", tool_types=["remote-access"], aliases=["a"], kill_chain_phases=PHASES, tool_version="1"),
    sdo("vulnerability", name="n", description="d"),
    sdo("relationship", relationship_type="indicates", description="d", source_ref=ref("indicator"), target_ref=ref("malware"), start_time=T, stop_time=T2),
    sdo("sighting", description="d", count=3, sighting_of_ref=ref("indicator"), observed_data_refs=[ref("observed-data")], where_sighted_refs=[ref("identity")], summary=False, **SEEN),
    {k: v for k, v in sdo("language-content", object_ref=ref("campaign"), object_modified=T, contents={"de": {"name": "Bank", "goals": ["g"]}}).items() if k != "lang"},
    {k: v for k, v in sdo("extension-definition", name="n", description="d", schema="s", version="1.2.1", extension_types=["toplevel-property-extension"], extension_properties=["x_a"]).items()
     if k not in ("lang", "confidence")},
    {"type": "marking-definition", "spec_version": "2.1", "id": ref("marking-definition"), "created_by_ref": ref("identity"), "created": T, "name": "n", "definition_type": "statement", "definition": {"statement": "s"},
     "external_references": [{"source_name": "x", "description": "d"}], "object_marking_refs": [TLP], "granular_markings": [{"marking_ref": TLP, "selectors": ["name"]}]},
    {"type": "marking-definition", "spec_version": "2.1", "id": ref("marking-definition"), "created": T, "name": "n", "extensions": {EXT: {"extension_type": "property-extension", "level": "b"}}},
    sco("artifact", mime_type="image/jpeg", payload_bin="VGhl", hashes=HASHES, encryption_algorithm="AES-256-GCM", decryption_key="k"),
    sco("artifact", mime_type="image/jpeg", url="https://x.example/a", hashes=HASHES),
    sco("autonomous-system", number=15139, name="n", rir="ARIN"),
    sco("directory", path="C:\\Windows", path_enc="UTF-8", ctime=T, mtime=T, atime=T, contains_refs=[ref("file", True)]),
    sco("domain-name", value="example.com", resolves_to_refs=[ref("ipv4-addr", True)]),
    sco("email-addr", value="john@example.com", display_name="John", belongs_to_ref=ref("user-account", True)),
    sco("email-message", is_multipart=False, date=T, content_type="text/plain", from_ref=ref("email-addr", True), sender_ref=ref("email-addr", True), to_refs=[ref("email-addr", True)], cc_refs=[ref("email-addr", True)],
        bcc_refs=[ref("email-addr", True)], message_id="<1@x.example>", subject="s", received_lines=["r"], additional_header_fields={"X-Mailer": ["a", "b"]}, body="b", raw_email_ref=ref("artifact", True)),
    {**sco("email-message", is_multipart=True, body_multipart=[{"content_type": "text/plain", "content_disposition": "inline", "body": "b"}, {"content_type": "image/png", "body_raw_ref": ref("artifact", True)}]), "id": ref("email-message")},
    sco("file", hashes=HASHES, size=25, name="foo.exe", name_enc="UTF-8", magic_number_hex="4d5a", mime_type="application/pdf", ctime=T, mtime=T, atime=T, parent_directory_ref=ref("directory", True),
        contains_refs=[ref("file", True)], content_ref=ref("artifact", True), extensions={
            "archive-ext": {"contains_refs": [ref("file", True)], "comment": "c"},
            "ntfs-ext": {"sid": "S-1", "alternate_data_streams": [{"name": "n", "hashes": HASHES, "size": 5}]},
            "pdf-ext": {"version": "1.7", "is_optimized": True, "document_info_dict": {"Title": "t"}, "pdfid0": "a", "pdfid1": "b"},
            "raster-image-ext": {"image_height": 5, "image_width": 5, "bits_per_pixel": 8, "exif_tags": {"Make": "N", "XResolution": 4928}},
            "windows-pebinary-ext": {"pe_type": "exe", "imphash": "i", "machine_hex": "014c", "number_of_sections": 4, "time_date_stamp": "2020-01-01T00:00:00Z", "pointer_to_symbol_table_hex": "74726144", "number_of_symbols": 4,
                                     "size_of_optional_header": 224, "characteristics_hex": "818f", "file_header_hashes": HASHES, "optional_header": {"magic_hex": "010b", "major_linker_version": 2, "size_of_code": 512,
                                     "checksum_hex": "00", "subsystem_hex": "03", "hashes": HASHES}, "sections": [{"name": "CODE", "size": 5, "entropy": 0.061, "hashes": HASHES}]}}),
    sco("ipv4-addr", value="198.51.100.3", resolves_to_refs=[ref("mac-addr", True)], belongs_to_refs=[ref("autonomous-system", True)]),
    sco("ipv6-addr", value="2001:db8::1", resolves_to_refs=[ref("mac-addr", True)], belongs_to_refs=[ref("autonomous-system", True)]),
    sco("mac-addr", value="d2:fb:49:24:37:18"),
    sco("mutex", name="m"),
    sco("network-traffic", start=T, end=T2, is_active=False, src_ref=ref("ipv4-addr", True), dst_ref=ref("domain-name", True), src_port=24678, dst_port=80, protocols=["ipv4", "tcp"], src_byte_count=1, dst_byte_count=1,
        src_packets=1, dst_packets=1, ipfix={"minimumIpTotalLength": 32, "b": "x"}, src_payload_ref=ref("artifact", True), dst_payload_ref=ref("artifact", True), encapsulates_refs=[ref("network-traffic", True)],
        encapsulated_by_ref=ref("network-traffic", True), extensions={
            "http-request-ext": {"request_method": "get", "request_value": "/x", "request_version": "http/1.1", "request_header": {"Accept": ["a"]}, "message_body_length": 1, "message_body_data_ref": ref("artifact", True)},
            "icmp-ext": {"icmp_type_hex": "08", "icmp_code_hex": "00"},
            "socket-ext": {"address_family": "AF_INET", "is_blocking": True, "is_listening": True, "options": {"SO_RCVTIMEO": 5}, "socket_type": "SOCK_STREAM", "socket_descriptor": 1, "socket_handle": 1},
            "tcp-ext": {"src_flags_hex": "00000002", "dst_flags_hex": "00"}}),
    {**sco("process", is_hidden=False, pid=1221, created_time=T, cwd="/", command_line="./a", environment_variables={"PATH": "/bin"}, opened_connection_refs=[ref("network-traffic", True)],
           creator_user_ref=ref("user-account", True), image_ref=ref("file", True), parent_ref=ref("process"), child_refs=[ref("process")], extensions={
               "windows-process-ext": {"aslr_enabled": True, "dep_enabled": True, "priority": "HIGH_PRIORITY_CLASS", "owner_sid": "S-1", "window_title": "t", "startup_info": {"lpDesktop": "b"}, "integrity_level": "low"},
               "windows-service-ext": {"service_name": "s", "descriptions": ["d"], "display_name": "d", "group_name": "g", "start_type": "SERVICE_AUTO_START", "service_dll_refs": [ref("file", True)],
                                       "service_type": "SERVICE_WIN32_OWN_PROCESS", "service_status": "SERVICE_RUNNING"}}), "id": ref("process")},
    sco("software", name="n", cpe="cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*:*", swid="s", languages=["en"], vendor="v", version="1"),
    sco("url", value="https://example.com/x"),
    sco("user-account", user_id="1", credential="c", account_login="l", account_type="unix", display_name="d", is_service_account=False, is_privileged=False, can_escalate_privs=True, is_disabled=False, account_created=T,
        account_expires=T2, credential_last_changed=T, account_first_login=T, account_last_login=T2, extensions={"unix-account-ext": {"gid": 5, "groups": ["w"], "home_dir": "/h", "shell": "/s"}}),
    sco("windows-registry-key", key="HKEY_LOCAL_MACHINE\\System\\Foo", values=[{"name": "n", "data": "d", "data_type": "REG_SZ"}], modified_time=T, creator_user_ref=ref("user-account", True), number_of_subkeys=5),
    sco("x509-certificate", is_self_signed=False, hashes=HASHES, version="3", serial_number="36:f7", signature_algorithm="a", issuer="C=ZA", validity_not_before=T, validity_not_after=T2, subject="C=US",
        subject_public_key_algorithm="rsa", subject_public_key_modulus="00", subject_public_key_exponent=65537, x509_v3_extensions={
            "basic_constraints": "c", "name_constraints": "n", "policy_constraints": "p", "key_usage": "k", "extended_key_usage": "e", "subject_key_identifier": "s", "authority_key_identifier": "a",
            "subject_alternative_name": "s", "issuer_alternative_name": "i", "subject_directory_attributes": "s", "crl_distribution_points": "c", "inhibit_any_policy": "i",
            "private_key_usage_period_not_before": T, "private_key_usage_period_not_after": T2, "certificate_policies": "c", "policy_mappings": "p"}),
]
