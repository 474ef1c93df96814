//! The `Authorization: Digest …` header as clients really write it.

use super::Algorithm;

/// Longest header value that is looked at, in bytes.
const MAX_BYTES: usize = 4096;
/// Most parameters in one header; the RFCs define eleven.
const MAX_PARAMETERS: usize = 24;

/// The credentials of one request, parsed but not verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub(in crate::auth) username: String,
    pub(in crate::auth) realm: String,
    pub(in crate::auth) nonce: String,
    pub(in crate::auth) uri: String,
    /// Lower-case hexadecimal digits.
    pub(in crate::auth) response: String,
    pub(in crate::auth) algorithm: Option<Algorithm>,
    /// Present where the client answers with `qop=auth`, absent in the RFC 2069 style (AU-6).
    pub(in crate::auth) qop_auth: Option<QopAuth>,
}

/// What a response with `qop=auth` covers besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::auth) struct QopAuth {
    pub(in crate::auth) nc: String,
    pub(in crate::auth) cnonce: String,
}

/// Why an `Authorization` header cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The scheme is another one (Basic, Bearer…): the client needs a challenge, it made no mistake in form.
    #[error("the scheme is not Digest")]
    OtherScheme,
    /// An algorithm, quality of protection or option that was never offered.
    #[error("{0} was not offered")]
    NotOffered(&'static str),
    /// The text breaks the grammar.
    #[error("malformed Digest credentials: {0}")]
    Malformed(&'static str),
}

impl Credentials {
    /// Reads the value of an `Authorization` header.
    ///
    /// Tolerant where clients differ: case of scheme and names, any order, quoted or bare values, blanks around `=` and `,`,
    /// missing or doubled commas, upper-case response, unknown parameters.
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn parse(header: &str) -> Result<Self, ParseError> {
        let header = header.trim();
        let (scheme, rest) = header.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((header, ""));
        if !scheme.eq_ignore_ascii_case("digest") {
            return Err(ParseError::OtherScheme);
        }
        if header.len() > MAX_BYTES {
            return Err(ParseError::Malformed("too long"));
        }
        let mut parameters = Parameters::read(rest)?;
        if parameters.take("userhash").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
            return Err(ParseError::NotOffered("userhash"));
        }
        let algorithm = parameters.take("algorithm").filter(|v| !v.is_empty()).map(|v| algorithm(&v)).transpose()?;
        let qop_auth = match parameters.take("qop") {
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                Some(QopAuth { nc: parameters.need("nc", "no nc")?, cnonce: parameters.need("cnonce", "no cnonce")? })
            }
            Some(qop) if !qop.is_empty() => return Err(ParseError::NotOffered("this qop")),
            _ => None,
        };
        Ok(Self {
            username: parameters.need("username", "no username")?,
            realm: parameters.need("realm", "no realm")?,
            nonce: parameters.need("nonce", "no nonce")?,
            uri: parameters.need("uri", "no uri")?,
            response: parameters.need("response", "no response")?.to_ascii_lowercase(),
            algorithm,
            qop_auth,
        })
    }

    /// Returns the user name that the client gives.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Returns how many requests the client says it has signed with this nonce, this one included; nothing where it does not
    /// count.
    pub(in crate::auth) fn count(&self) -> Option<u32> {
        self.qop_auth.as_ref().and_then(|qop| u32::from_str_radix(&qop.nc, 16).ok())
    }

    /// Returns the algorithm in use; MD5 where the client names none (AU-4).
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Md5)
    }
}

/// Shows whose credentials they are and nothing that helps to guess a password offline.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).field("uri", &self.uri).finish_non_exhaustive()
    }
}

fn algorithm(value: &str) -> Result<Algorithm, ParseError> {
    match value.to_ascii_uppercase().as_str() {
        "SHA-256" | "SHA256" => Ok(Algorithm::Sha256),
        "MD5" => Ok(Algorithm::Md5),
        _ => Err(ParseError::NotOffered("this algorithm")),
    }
}

/// The parameters of a header, names in lower case.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn read(mut rest: &str) -> Result<Self, ParseError> {
        let mut list: Vec<(String, String)> = Vec::new();
        loop {
            rest = rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
            if rest.is_empty() {
                return Ok(Self(list));
            }
            let (name, after) = rest.split_once('=').ok_or(ParseError::Malformed("a name without a value"))?;
            let name = name.trim_end().to_ascii_lowercase();
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_*".contains(&b)) {
                return Err(ParseError::Malformed("a bad parameter name"));
            }
            let (value, after) = value(after.trim_start())?;
            if value.chars().any(char::is_control) {
                return Err(ParseError::Malformed("a control character"));
            }
            if list.iter().any(|(known, _)| *known == name) {
                return Err(ParseError::Malformed("a parameter given twice"));
            }
            if list.len() == MAX_PARAMETERS {
                return Err(ParseError::Malformed("too many parameters"));
            }
            list.push((name, value));
            rest = after;
        }
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn need(&mut self, name: &str, missing: &'static str) -> Result<String, ParseError> {
        self.take(name).ok_or(ParseError::Malformed(missing))
    }
}

/// Reads one quoted or bare value and returns it with what follows.
fn value(text: &str) -> Result<(String, &str), ParseError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c == ',' || c.is_ascii_whitespace()).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut out = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((out, &quoted[at + 1..])),
            '\\' => match chars.next() {
                Some((_, escaped @ ('"' | '\\'))) => out.push(escaped),
                // Not an escape anybody means: a Windows client's DOMAIN\user.
                Some((_, other)) => out.extend(['\\', other]),
                None => break,
            },
            _ => out.push(c),
        }
    }
    Err(ParseError::Malformed("a quote without its end"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: &str = r#"Digest username="u", realm="r", nonce="n", uri="/x", response="AB", algorithm=MD5"#;

    #[test]
    fn the_spellings_of_the_field_mean_the_same() {
        let plain = Credentials::parse(PLAIN).unwrap();
        assert_eq!(plain.response, "ab");
        for header in [
            r#"digest username="u",realm="r",nonce="n",uri="/x",response="ab",algorithm="MD5""#,
            r#"DIGEST  Response = "ab" , URI="/x",, NONCE=n, Realm=r, UserName=u, algorithm=md5,"#,
            "Digest\tusername=\"u\" realm=\"r\" nonce=\"n\" uri=/x response=ab algorithm=MD5",
            r#"Digest username="u", realm="r", nonce="n", uri="/x", response="ab", qop="", algorithm=MD5, foo=bar"#,
        ] {
            assert_eq!(Credentials::parse(header).unwrap(), plain, "{header}");
        }
    }

    #[test]
    fn qop_is_read_bare_and_quoted() {
        for qop in ["qop=auth", "qop=\"auth\"", "QOP=\"Auth\""] {
            let credentials = Credentials::parse(&format!("{PLAIN}, {qop}, nc=\"00000001\", cnonce=c")).unwrap();
            assert_eq!(credentials.qop_auth, Some(QopAuth { nc: "00000001".into(), cnonce: "c".into() }));
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_reason() {
        for (header, reason) in [
            ("Basic dTpw", "the scheme is not Digest"),
            ("", "the scheme is not Digest"),
            ("Digest", "malformed Digest credentials: no username"),
            ("Digest username", "malformed Digest credentials: a name without a value"),
            ("Digest user name=x", "malformed Digest credentials: a bad parameter name"),
            ("Digest username=\"u", "malformed Digest credentials: a quote without its end"),
            ("Digest username=u, username=v", "malformed Digest credentials: a parameter given twice"),
            ("Digest username=\"u\u{7}\"", "malformed Digest credentials: a control character"),
            ("Digest username=u, algorithm=MD5-sess", "this algorithm was not offered"),
            ("Digest username=u, qop=auth-int", "this qop was not offered"),
            ("Digest username=u, qop=auth, nc=1", "malformed Digest credentials: no cnonce"),
            ("Digest username=u, userhash=true", "userhash was not offered"),
        ] {
            assert_eq!(Credentials::parse(header).unwrap_err().to_string(), reason, "{header}");
        }
        let long = format!("Digest username=\"{}\"", "x".repeat(MAX_BYTES));
        assert_eq!(Credentials::parse(&long), Err(ParseError::Malformed("too long")));
        let many: String = (0..=MAX_PARAMETERS).map(|i| format!(" p{i}=1,")).collect();
        assert_eq!(Credentials::parse(&format!("Digest{many}")), Err(ParseError::Malformed("too many parameters")));
    }

    #[test]
    fn escapes_are_undone_and_stray_backslashes_kept() {
        let header = PLAIN.replace("\"u\"", r#""a\"b\\c\d""#);
        assert_eq!(Credentials::parse(&header).unwrap().username(), r#"a"b\c\d"#);
    }

    #[test]
    fn debug_keeps_the_response_to_itself() {
        let shown = format!("{:?}", Credentials::parse(PLAIN).unwrap());
        assert_eq!(shown, r#"Credentials { username: "u", uri: "/x", .. }"#);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(?s)(Digest )?.{0,200}") {
            let _ = Credentials::parse(&text);
        }

        #[test]
        fn grammar_like_text_makes_it_no_trouble(text in r#"Digest ([a-z*]{0,9} ?= ?"?[a-z\\",= ]{0,9}"?[, ]?){0,8}"#) {
            let _ = Credentials::parse(&text);
        }
    }
}
