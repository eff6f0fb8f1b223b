//! Tables of addresses.

use super::*;

fn address(raw: &str) -> IpAddr {
    raw.parse().unwrap()
}

fn policy(allow: &[&str], deny: &[&str], allow_only: bool) -> Policy {
    let networks = |raw: &[&str]| raw.iter().map(|raw| network(raw).unwrap()).collect();
    Policy { allow: networks(allow), deny: networks(deny), allow_only }
}

const MAY: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "100.63.255.255",
    "100.64.0.1",
    "100.100.100.199",
    "126.255.255.255",
    "127.0.0.1",
    "127.8.9.10",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "192.0.1.255",
    "192.0.3.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "168.63.129.15",
    "::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "fd12:3456::1",
    "fc00::1",
    "2001:200::1",
    "2001:db7::1",
    "2003::1",
    "::ffff:1.1.1.1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::8.8.8.8",
    "64:ff9b::10.0.0.1",
    "2002:808:808::1",
    "2002:a00:1::1",
    "::8.8.8.8",
    "::ffff:0:8.8.8.8",
    "fd00:ec3::254",
    "fd20:ce::253",
];

const MUST_NOT: &[(&str, &str)] = &[
    ("169.254.169.254", "metadata"),
    ("169.254.170.2", "metadata"),
    ("169.254.170.23", "metadata"),
    ("100.100.100.200", "metadata"),
    ("168.63.129.16", "metadata"),
    ("192.0.0.192", "metadata"),
    ("169.254.0.0", "link-local"),
    ("169.254.1.1", "link-local"),
    ("169.254.255.255", "link-local"),
    ("0.0.0.0", "no address"),
    ("0.1.2.3", "no address"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.254", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("192.0.2.1", "documentation"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.255", "documentation"),
    ("192.0.0.1", "reserved"),
    ("192.88.99.1", "reserved"),
    ("198.18.0.1", "reserved"),
    ("198.19.255.255", "reserved"),
    ("::", "no address"),
    ("fe80::1", "link-local"),
    ("febf::1", "link-local"),
    ("fec0::1", "reserved"),
    ("ff02::1", "multicast"),
    ("ff0e::1", "multicast"),
    ("fd00:ec2::254", "metadata"),
    ("fd00:ec2::23", "metadata"),
    ("fd20:ce::254", "metadata"),
    ("fd00:c1::a9fe:a9fe", "metadata"),
    ("fd00:42::42", "metadata"),
    ("2001:db8::1", "documentation"),
    ("3fff:fff::1", "documentation"),
    ("2001::1", "reserved"),
    ("2001:0:a9fe:a9fe::1", "reserved"),
    ("2001:1ff::1", "reserved"),
    ("100::1", "reserved"),
    ("64:ff9b:1::a9fe:a9fe", "reserved"),
    ("5f00::1", "reserved"),
    ("4000::1", "reserved"),
    ("fe00::1", "reserved"),
    ("0:1::1", "reserved"),
    ("::ffff:169.254.169.254", "metadata"),
    ("::ffff:0.0.0.0", "no address"),
    ("::ffff:169.254.1.1", "link-local"),
    ("::ffff:0:169.254.169.254", "metadata"),
    ("::169.254.169.254", "metadata"),
    ("::2", "no address"),
    ("64:ff9b::169.254.169.254", "metadata"),
    ("64:ff9b::a9fe:101", "link-local"),
    ("2002:a9fe:a9fe::1", "metadata"),
    ("2002:e000:1::", "multicast"),
];

#[test]
fn without_a_configuration() {
    let policy = Policy::default();
    for raw in MAY {
        assert_eq!(policy.check(address(raw)), Ok(()), "{raw}");
    }
    for (raw, kind) in MUST_NOT {
        let refusal = policy.check(address(raw)).expect_err(raw);
        assert!(refusal.contains(kind), "{raw}: {refusal}");
    }
}

#[test]
fn an_allowed_network_lifts_what_is_built_in() {
    let policy = policy(&["169.254.169.254", "fe80::/10", "224.0.0.0/4"], &[], false);
    for raw in
        ["169.254.169.254", "::ffff:169.254.169.254", "2002:a9fe:a9fe::", "fe80::1", "224.1.2.3", "1.1.1.1"]
    {
        assert_eq!(policy.check(address(raw)), Ok(()), "{raw}");
    }
    for raw in ["169.254.169.253", "169.254.170.2", "ff02::1", "255.255.255.255", "::"] {
        assert!(policy.check(address(raw)).is_err(), "{raw}");
    }
}

#[test]
fn a_denied_network_wins() {
    let policy =
        policy(&["10.0.0.0/8", "127.0.0.1"], &["10.1.0.0/16", "127.0.0.0/8", "64:ff9b::/96", "::1"], false);
    let denied = ["10.1.2.3", "127.0.0.1", "::ffff:10.1.2.3", "2002:a01:203::", "64:ff9b::8.8.8.8", "::1"];
    for raw in denied {
        let refusal = policy.check(address(raw)).expect_err(raw);
        assert!(refusal.contains("is denied by the configuration"), "{raw}: {refusal}");
    }
    for raw in ["10.2.0.1", "8.8.8.8", "192.168.1.1", "2a00::1"] {
        assert_eq!(policy.check(address(raw)), Ok(()), "{raw}");
    }
}

#[test]
fn only_what_is_allowed() {
    let some = policy(&["10.0.0.0/8", "::/0"], &["10.9.0.0/16"], true);
    for raw in ["10.0.0.1", "::ffff:10.0.0.1", "2a00::1", "fe80::1"] {
        assert_eq!(some.check(address(raw)), Ok(()), "{raw}");
    }
    // Every IPv6 address is allowed, but these are IPv4 addresses.
    for raw in
        ["10.9.0.1", "1.1.1.1", "127.0.0.1", "::ffff:169.254.169.254", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]
    {
        assert!(some.check(address(raw)).is_err(), "{raw}");
    }
    let nothing = policy(&[], &[], true);
    for raw in MAY {
        assert!(nothing.check(address(raw)).is_err(), "{raw}");
    }
}

#[test]
fn networks_are_read() {
    for (raw, wanted) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("fd00::/8", "fd00::/8"),
        ("::/0", "::/0"),
        ("::1", "::1/128"),
    ] {
        assert_eq!(network(raw).unwrap().to_string(), wanted, "{raw}");
    }
    for (raw, wanted) in [
        ("", "is not a network"),
        ("10.0.0.0/33", "is not a network"),
        ("10.0.0/8", "is not a network"),
        ("010.0.0.0/8", "is not a network"),
        ("10.0.0.0/", "is not a network"),
        ("10.0.0.0/8/8", "is not a network"),
        ("localhost", "is not a network"),
        ("fe80::1%eth0", "is not a network"),
        (" 10.0.0.0/8", "is not a network"),
        ("10.0.0.1/8", "the network is \"10.0.0.0/8\""),
        ("fd00::1/8", "the network is \"fd00::/8\""),
        ("::ffff:10.0.0.0/104", "write them as such"),
        ("::ffff:10.0.0.1", "write them as such"),
    ] {
        let error = network(raw).unwrap_err();
        assert!(error.contains(wanted), "{raw:?}: {error}");
    }
}
