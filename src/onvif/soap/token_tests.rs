use proptest::prelude::*;

use super::{super::xml, *};

const PROFILE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0";

fn read(inside: &str) -> Result<Option<UsernameToken>, TokenError> {
    let text =
        format!("<s:Security xmlns:s='{}' xmlns:u='{}' xmlns='{0}'>{inside}</s:Security>", WSSE.uri(), WSU.uri());
    let header = xml::read(text.as_bytes(), &xml::Limits::default()).unwrap();
    UsernameToken::read([&header].into_iter())
}

/// The example that ONVIF prints in its Application Programmer's Guide, section 6.1.1.3.
fn example(kind: &str) -> String {
    format!(
        "<UsernameToken><Username>user</Username><Password Type='{kind}'>tuOSpGlFlIXsozq4HFNeeGeFLEI=</Password>\
         <Nonce>LKqI6G/AikKCQrN0zqZFlg==</Nonce><u:Created>2010-09-16T07:50:45Z</u:Created></UsernameToken>"
    )
}

#[test]
fn the_printed_example_matches_its_password() {
    for kind in [&format!("{PROFILE}#PasswordDigest"), "#PasswordDigest", "PasswordDigest"] {
        let token = read(&example(kind)).unwrap().unwrap();
        assert!(token.matches("userpassword"));
        assert!(!token.matches("userpassworD") && !token.matches(""));
        assert_eq!((token.username(), token.is_digest(), token.nonce().len()), ("user", true, 16));
        assert_eq!(token.created_at().unwrap().as_secs(), 1_284_623_445);
    }
}

#[test]
fn passwords_in_the_clear_are_compared_as_they_are() {
    for attribute in [format!(" Type='{PROFILE}#PasswordText'"), String::new()] {
        let token = read(&format!(
            "<UsernameToken><Username>u</Username><Password{attribute}>p&amp;s s </Password></UsernameToken>"
        ));
        let token = token.unwrap().unwrap();
        assert!(token.matches("p&s s ") && !token.matches("p&s s") && !token.is_digest());
        assert_eq!((token.nonce(), token.created(), token.created_at()), (&b""[..], "", None));
    }
}

#[test]
fn what_clients_write_differently_is_understood() {
    // Line breaks around and in values, no padding, an encoding type, a timestamp and an identifier beside the token.
    let token = read(&format!(
        "<u:Timestamp><u:Created>2010-09-16T07:50:45Z</u:Created></u:Timestamp>\
         <UsernameToken u:Id='t'><Username>\n user\n</Username><Password Type='{PROFILE}#PasswordDigest'>\n tuOSpGlFlIXsozq4\nHFNeeGeFLEI\n</Password>\
         <Nonce EncodingType='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary'> LKqI6G/AikKCQrN0zqZFlg </Nonce>\
         <u:Created> 2010-09-16T07:50:45Z </u:Created></UsernameToken>"
    ));
    assert!(token.unwrap().unwrap().matches("userpassword"));
}

#[test]
fn a_header_without_a_token_is_no_mistake() {
    assert_eq!(read("<u:Timestamp/>"), Ok(None));
    assert_eq!(UsernameToken::read([].into_iter()), Ok(None));
}

#[test]
fn what_is_missing_or_bad_is_named() {
    let good = example("PasswordDigest");
    for (text, want) in [
        (good.replace("<Username>user</Username>", ""), TokenError::Missing("Username")),
        (good.replace("Nonce", "Nonsense"), TokenError::Missing("Nonce")),
        (good.replace("u:Created", "Created"), TokenError::Missing("Created")),
        ("<UsernameToken><Username>u</Username></UsernameToken>".to_owned(), TokenError::Missing("Password")),
        (good.replace("LKqI", "L-qI"), TokenError::Bad("Nonce")),
        (good.replace("tuOS", "tuO"), TokenError::Bad("Password")),
        (good.replace("PasswordDigest", "Password"), TokenError::Bad("Password Type")),
        (good.replace("<Username>user", &format!("<Username>{}", "u".repeat(33))), TokenError::Bad("Username")),
        (good.replace("LKqI", &"A".repeat(300)), TokenError::Bad("Nonce")),
        (good.replace("LKqI", &"A".repeat(200)), TokenError::Bad("Nonce")),
        (good.replace("2010", &"2".repeat(60)), TokenError::Bad("Created")),
        (good.replace("user<", "<b/>user<"), TokenError::Bad("Username")),
        (good.replace("<Nonce>", "<Nonce>AAAA</Nonce><Nonce>"), TokenError::Bad("Nonce")),
        (good.clone() + &good, TokenError::Bad("second UsernameToken beside it")),
        (
            format!("<UsernameToken><Username>u</Username><Password>{}</Password></UsernameToken>", "p".repeat(65)),
            TokenError::Bad("Password"),
        ),
    ] {
        assert_eq!(read(&text), Err(want), "{text}");
    }
}

#[test]
fn a_token_is_shown_without_its_password() {
    let text = "<UsernameToken><Username>u</Username><Password>secret</Password></UsernameToken>";
    assert_eq!(format!("{:?}", read(text).unwrap().unwrap()), r#"UsernameToken { username: "u", digest: false, .. }"#);
}

proptest! {
    #[test]
    fn whoever_holds_the_password_matches(
        nonce in proptest::collection::vec(any::<u8>(), 1..40),
        created in "[0-9TZ:-]{1,30}",
        password in "[ -~é]{0,30}",
        other in "[ -~é]{0,30}",
    ) {
        let digest = BASE64.encode(password_digest(&nonce, &created, &password));
        let token = read(&format!(
            "<UsernameToken><Username>u</Username><Password Type='#PasswordDigest'>{digest}</Password><Nonce>{}</Nonce>\
             <u:Created>{created}</u:Created></UsernameToken>",
            BASE64.encode(&nonce)
        )).unwrap().unwrap();
        prop_assert!(token.matches(&password));
        prop_assert_eq!(token.matches(&other), other == password);
    }
}
