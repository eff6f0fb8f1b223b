use proptest::prelude::*;

use super::*;

fn chunk(content: Vec<u8>) -> PlainChunk {
    PlainChunk { start: 7, hash: *blake3::hash(&content).as_bytes(), content: content.into() }
}

fn key(seed: u64) -> Key {
    Key::parse(&format!("{seed:064x}")).unwrap()
}

/// A current key and previous ones, by their seeds.
fn sealer(level: Option<i32>, current: Option<u64>, previous: &[u64]) -> Sealer {
    Sealer::new(level, Keyring::new(current.map(key), previous.iter().copied().map(key).collect()))
}

fn contents() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 1..2000)
}

fn levels() -> impl Strategy<Value = Option<i32>> {
    prop_oneof![Just(None), Just(Some(1)), Just(Some(9))]
}

proptest! {
    #[test]
    fn what_was_packed_unpacks_and_any_flipped_bit_is_refused(
        content in contents(), level in levels(), key in prop::option::of(1..9_u64),
        at in any::<prop::sample::Index>(), bit in 0..8_u8,
    ) {
        let sealer = sealer(level, key, &[]);
        let row = sealer.seal(&chunk(content.clone())).unwrap();
        prop_assert_eq!(row.key.is_some(), key.is_some());
        prop_assert_eq!(sealer.open(row.clone()), Ok(content.clone()));
        let mut broken = row;
        let packed = broken.content.as_mut().unwrap();
        let at = at.index(packed.len());
        packed[at] ^= 1 << bit;
        // Not every bit of a zstd frame has a meaning, so the content may still be what it was; never another.
        match sealer.open(broken) {
            Ok(plain) => prop_assert!(key.is_none() && level.is_some() && plain == content),
            Err(OpenError::Damaged(damage)) => {
                let is_right = match key {
                    Some(_) => damage == Damage::Decrypt,
                    None => matches!(damage, Damage::Hash | Damage::Unpack),
                };
                prop_assert!(is_right, "{damage}");
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn encrypted_content_shows_nothing_and_fits_nowhere_else(
        content in prop::collection::vec(any::<u8>(), 32..500), other in any::<u8>(), shorter in any::<prop::sample::Index>(),
    ) {
        let sealer = sealer(None, Some(1), &[]);
        let row = sealer.seal(&chunk(content.clone())).unwrap();
        let stored = row.content.clone().unwrap();
        prop_assert_eq!(stored.len(), content.len() + OVERHEAD);
        prop_assert!(!stored.windows(16).any(|part| content.windows(16).any(|plain| plain == part)));
        prop_assert_ne!(&sealer.seal(&chunk(content.clone())).unwrap().content, &row.content, "nonces are random");
        // Another chunk of the same size and key.
        let mut second = content.clone();
        second[0] ^= other | 1;
        let mut swapped = sealer.seal(&chunk(second)).unwrap();
        swapped.content = row.content.clone();
        prop_assert_eq!(sealer.open(swapped), Err(Damage::Decrypt.into()));
        let mut recoded = row.clone();
        recoded.codec = ZSTD;
        prop_assert_eq!(sealer.open(recoded), Err(Damage::Decrypt.into()));
        let mut said_plain = row.clone();
        said_plain.key = None;
        prop_assert_eq!(sealer.open(said_plain), Err(Damage::Hash.into()));
        let mut cut = row;
        cut.content = Some(stored[..shorter.index(stored.len())].to_vec());
        prop_assert_eq!(sealer.open(cut), Err(Damage::Decrypt.into()));
    }

    #[test]
    fn a_new_key_takes_over_and_the_old_one_is_no_longer_needed(
        content in contents(), level in levels(), from in prop::option::of(1..4_u64), to in prop::option::of(1..4_u64),
    ) {
        let row = sealer(level, from, &[]).seal(&chunk(content.clone())).unwrap();
        let rotating = sealer(level, to, from.as_slice());
        prop_assert_eq!(rotating.open(row.clone()), Ok(content.clone()), "before it is sealed anew");
        let new = rotating.reseal(row.clone()).unwrap().unwrap();
        prop_assert_eq!((new.codec, new.size, &new.hash), (row.codec, row.size, &row.hash));
        let after = sealer(level, to, &[]);
        prop_assert_eq!(after.open(new.clone()), Ok(content));
        if to != from && from.is_some() {
            prop_assert_eq!(after.open(row), Err(OpenError::KeyMissing(key(from.unwrap()).id())));
        }
        let mut broken = new;
        broken.content.as_mut().unwrap().pop();
        prop_assert!(after.open(broken).is_err());
    }
}

#[test]
fn a_missing_key_is_named_and_is_no_damage() {
    let row = sealer(None, Some(1), &[]).seal(&chunk(b"secret".to_vec())).unwrap();
    for ring in [sealer(None, None, &[]), sealer(None, Some(2), &[3])] {
        let error = ring.open(row.clone()).unwrap_err();
        assert_eq!(error, OpenError::KeyMissing(key(1).id()));
        assert!(error.to_string().contains(&key(1).id().to_string()), "{error}");
        assert_eq!(ring.reseal(row.clone()).unwrap().unwrap_err(), error);
    }
    let mut odd = row;
    odd.key = Some(vec![1, 2, 3]);
    assert_eq!(sealer(None, Some(1), &[]).open(odd), Err(Damage::Codec.into()));
}

#[test]
fn what_is_outdated_depends_on_the_current_key() {
    let id = |seed| Some(key(seed).id());
    let outdated = |current, previous: &[u64]| sealer(None, current, previous).keys().outdated();
    assert_eq!(outdated(None, &[]), []);
    assert_eq!(outdated(Some(1), &[]), [None]);
    assert_eq!(outdated(Some(1), &[2, 1]), [None, id(2)]);
    assert_eq!(outdated(None, &[2, 3]), [id(2), id(3)]);
}

#[test]
fn a_key_is_hexadecimal_or_base64_and_never_shown() {
    let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let key = Key::parse(hex).unwrap();
    for same in [
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "  000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f\r\n",
    ] {
        assert_eq!(Key::parse(same).unwrap().id(), key.id(), "{same}");
    }
    assert_eq!(format!("{key:?}"), format!("Key({})", key.id()));
    assert!(!hex.contains(&key.id().to_string()));
    let zeros = "0".repeat(64);
    for bad in ["", "secret", &hex[1..], &format!("{hex}00"), "AAECAwQ=", &format!("{}é", &hex[2..]), &zeros]
    {
        assert_eq!(Key::parse(bad).unwrap_err(), InvalidKey, "{bad}");
    }
}
