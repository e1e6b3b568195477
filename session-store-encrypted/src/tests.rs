//! The stored form, and what does not open. Whole stores are in `tests/`.

use session_core::{Data, Error, OwnerId, Record, SessionKey, SessionStore, Timestamp};
use session_store_memory::MemoryStore;

use crate::seal::Sealer;
use crate::{BlindingKey, EncryptedStore, EncryptionKey, EncryptionKeys, Unreadable};

/// What another implementation wrote (HChaCha20 by hand and OpenSSL's ChaCha20-Poly1305, in Python) for `record()`.
const WRITTEN: &str = concat!(
    r#"{"sealed":1,"k":"2026-07","n":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX","#,
    r#""c":"naNrHuvw7s9BMAT0kGOE2hY6lYT1LMZVtgoyz4HnpTIGCg"}"#
);

fn bytes<const N: usize>() -> [u8; N] {
    std::array::from_fn(|place| u8::try_from(place).expect("a small number"))
}

fn keys(ids: &[&str]) -> EncryptionKeys {
    EncryptionKeys::new(ids.iter().map(|id| EncryptionKey::new(id, &bytes::<32>()).expect("a key"))).expect("keys")
}

fn sealer() -> Sealer {
    let random: fn(&mut [u8]) -> _ = |nonce| {
        nonce.copy_from_slice(&bytes::<24>());
        Ok(())
    };
    Sealer { random, ..EncryptedStore::new((), "shop", keys(&["2026-07"])).sealer }
}

fn key(text: &str) -> SessionKey {
    SessionKey::parse(text).expect("a key")
}

fn owner(text: &str) -> OwnerId {
    OwnerId::parse(text).expect("an owner")
}

fn data(text: &str) -> Data {
    Data::parse(text).expect("an object")
}

fn record() -> Record {
    Record::new(data(r#"{"cart":[1,2]}"#), Timestamp::MIN, Timestamp::MAX).with_owner(owner("ada"))
}

fn holding(text: &str) -> Record {
    let mut record = record();
    record.data = data(text);
    record
}

/// Opens a record at the place where the others are written, and says why it does not open.
fn refusal(sealer: &Sealer, stored: Record) -> Option<Unreadable> {
    refusal_at(sealer, "52b8f5c3", stored)
}

fn refusal_at(sealer: &Sealer, place: &str, stored: Record) -> Option<Unreadable> {
    match sealer.open(&key(place), stored) {
        Err(Error::Corrupt(cause)) => cause.downcast_ref().copied(),
        _ => None,
    }
}

#[test]
fn the_cipher_is_that_of_the_draft() {
    use chacha20poly1305::aead::{Aead as _, Payload};
    use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};

    // draft-irtf-cfrg-xchacha-03, A.3.1.
    let key: [u8; 32] = bytes::<32>().map(|byte| byte + 0x80);
    let nonce: [u8; 24] = bytes::<24>().map(|byte| byte + 0x40);
    let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
    let msg = b"Ladies and Gentlemen of the class of '99: \
                If I could offer you only one tip for the future, sunscreen would be it.";
    let sealed = XChaCha20Poly1305::new(&key.into()).encrypt(&nonce.into(), Payload { msg, aad: &aad });
    let hex: String = sealed.expect("the cipher works").iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39\
         ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
         21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49"
    );
}

#[test]
fn the_stored_form_is_that_of_another_implementation() {
    let sealed = sealer().seal(&key("52b8f5c3"), &record()).expect("it seals");
    assert_eq!(sealed, holding(WRITTEN));
    let opened = sealer().open(&key("52b8f5c3"), sealed).expect("it opens");
    assert_eq!(opened.record, record());
    assert!(opened.is_current);
}

#[test]
fn a_blinded_owner_is_that_of_another_implementation() {
    let blinding = BlindingKey::new(&bytes::<32>()).expect("a key");
    let blinded = blinding.blind("shop", &owner("ada")).expect("it blinds");
    assert_eq!(blinded, owner("d1001eba4a9d3c5b17bfe62c3a69e9e35ad184cc1da0f57fdde75b98a1d90074"));
    assert_ne!(blinding.blind("shop2", &owner("ada")).expect("it blinds"), blinded);
    assert_ne!(blinding.blind("shop", &owner("Ada")).expect("it blinds"), blinded);

    let sealer = Sealer { blinding: Some(blinding), ..sealer() };
    let sealed = sealer.seal(&key("52b8f5c3"), &record()).expect("it seals");
    assert_eq!(sealed.owner, Some(blinded));
    let opened = sealer.open(&key("52b8f5c3"), sealed.clone()).expect("it opens");
    assert_eq!((opened.record, opened.is_current), (record(), true));
    // What was blinded opens without the blinding key too, and is not as it would be written.
    let opened = self::sealer().open(&key("52b8f5c3"), sealed).expect("it opens");
    assert_eq!((opened.record, opened.is_current), (record(), false));
}

#[test]
fn a_record_opens_only_where_it_was_written() {
    let moved = |place| refusal_at(&sealer(), place, holding(WRITTEN));
    assert_eq!(moved("52b8f5c3"), None);
    assert_eq!(moved("52b8f5c4"), Some(Unreadable::NotAuthentic));
    assert_eq!(moved("52b8f5c"), Some(Unreadable::NotAuthentic));

    let elsewhere = Sealer { namespace: "shop2".into(), ..sealer() };
    assert_eq!(refusal(&elsewhere, holding(WRITTEN)), Some(Unreadable::NotAuthentic));
    for other in [None, Some(owner("bob"))] {
        let mut given_away = holding(WRITTEN);
        given_away.owner = other;
        assert_eq!(refusal(&sealer(), given_away), Some(Unreadable::NotAuthentic));
    }
    // The same secret under another id: the record says which of the two it means, and that is bound too.
    let both = Sealer { keys: keys(&["2026-07", "2026-08"]), ..sealer() };
    assert_eq!(refusal(&both, holding(&WRITTEN.replace("2026-07", "2026-08"))), Some(Unreadable::NotAuthentic));
    assert_eq!(refusal(&both, holding(WRITTEN)), None);
}

#[test]
fn no_character_of_the_nonce_or_of_the_encrypted_part_can_be_changed() {
    let nonce = WRITTEN.find("AAEC").expect("there is a nonce");
    let places = (nonce..nonce + 32).chain(WRITTEN.find("naNr").expect("there is data")..WRITTEN.len() - 2);
    for place in places {
        for other in ["A", "B", "Q", "g", "w", "_", "=", "+", " ", ""] {
            let mut text = WRITTEN.to_owned();
            text.replace_range(place..=place, other);
            if text != WRITTEN {
                assert!(refusal(&sealer(), holding(&text)).is_some(), "{text}");
            }
        }
    }
}

#[test]
fn no_bit_of_the_nonce_or_of_the_encrypted_part_can_be_changed() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    for part in ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "naNrHuvw7s9BMAT0kGOE2hY6lYT1LMZVtgoyz4HnpTIGCg"] {
        let whole = URL_SAFE_NO_PAD.decode(part).expect("it is base64");
        for bit in 0..8 * whole.len() {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let text = WRITTEN.replace(part, &URL_SAFE_NO_PAD.encode(&changed));
            assert_eq!(refusal(&sealer(), holding(&text)), Some(Unreadable::NotAuthentic), "bit {bit}");
        }
        for length in 0..whole.len() {
            let text = WRITTEN.replace(part, &URL_SAFE_NO_PAD.encode(&whole[..length]));
            assert!(refusal(&sealer(), holding(&text)).is_some(), "cut to {length} bytes");
        }
    }
}

#[test]
fn what_is_not_the_stored_form_is_never_data() {
    let cases = [
        ("{}", Unreadable::Plaintext),
        (r#"{"cart":[1,2]}"#, Unreadable::Plaintext),
        (r#"{"k":1,"n":2,"c":3}"#, Unreadable::Plaintext),
        (&WRITTEN.replace("sealed", "sealec"), Unreadable::Plaintext),
        (&WRITTEN.replace(":1,", ":2,"), Unreadable::UnknownFormat),
        (&WRITTEN.replace(":1,", ":null,"), Unreadable::UnknownFormat),
        (r#"{"sealed":2,"box":[]}"#, Unreadable::UnknownFormat),
        (r#"{"sealed":1}"#, Unreadable::Malformed),
        (&WRITTEN.replace("{", r#"{"cart":[1,2],"#), Unreadable::Malformed),
        (&WRITTEN.replace("}", r#","k":"2026-07"}"#), Unreadable::Malformed),
        (&WRITTEN.replace("2026-07", "2026-06"), Unreadable::UnknownKey),
        (&WRITTEN.replace("2026-07", ""), Unreadable::UnknownKey),
    ];
    for (text, wanted) in cases {
        assert_eq!(refusal(&sealer(), holding(text)), Some(wanted), "{text}");
        // The option for a migration lets records in the clear through, and nothing that is damaged.
        let migrating = Sealer { accepts_plaintext: true, ..sealer() };
        match wanted {
            Unreadable::Plaintext => {
                let opened = migrating.open(&key("k"), holding(text)).expect("it is taken as it is");
                assert_eq!((opened.record, opened.is_current), (holding(text), false));
            }
            _ => assert_eq!(refusal(&migrating, holding(text)), Some(wanted), "{text}"),
        }
    }
}

#[test]
fn nonces_do_not_repeat() {
    let sealer = Sealer { random: getrandom::fill, ..sealer() };
    let sealed = || sealer.seal(&key("k"), &record()).expect("it seals").data.as_str().to_owned();
    let all: std::collections::HashSet<String> = (0..1000).map(|_| sealed()[..60].to_owned()).collect();
    assert_eq!(all.len(), 1000);
}

#[tokio::test]
async fn without_randomness_nothing_is_written() {
    let mut store = EncryptedStore::new(MemoryStore::new(), "shop", keys(&["1"]));
    let revision = store.create(&key("k"), &record()).await.expect("there is randomness");
    store.sealer.random = |_| Err(getrandom::Error::UNSUPPORTED);
    for refused in [
        store.create(&key("other"), &record()).await,
        store.update(&key("k"), revision, &holding("{}")).await,
        store.rotate(&key("k"), revision, &key("other"), &record()).await,
    ] {
        assert!(matches!(refused, Err(Error::Backend(_))), "{refused:?}");
    }
    assert_eq!(store.load(&key("k")).await.expect("loading needs none"), Some((record(), revision)));
    assert!(store.load(&key("other")).await.expect("loading needs none").is_none());
}

#[test]
fn nothing_secret_is_shown() {
    let store = EncryptedStore::new((), "shop", keys(&["2026-07"]))
        .with_blinded_owners(BlindingKey::new(&bytes::<32>()).expect("a key"));
    assert_eq!(
        format!("{store:?}"),
        "EncryptedStore { sealer: Sealer { namespace: \"shop\", keys: EncryptionKeys([\"2026-07\"], redacted), \
         blinding: Some(BlindingKey(redacted)), accepts_plaintext: false, .. }, max_data_bytes: 1048576, .. }"
    );
    for reason in [refusal(&store.sealer, holding(r#"{"cart":"a secret"}"#)), refusal(&store.sealer, holding("{}"))] {
        let error = Error::corrupt(reason.expect("it does not open"));
        assert!(!format!("{error:?} {error}").contains("cart"), "{error:?}");
    }
}
