"""onvif-python, which knows both media services and signs with tokens or with Digest.

    onvif_python.py visit|look|refused OPTIONS    (JSON; see tests/onvif/driver.rs)

It uses Digest here, and sets through Media2.
"""

from onvif import CacheMode, ONVIFClient

from report import encoder, found, options, refused


def connect(given, user, password, digest=True):
    """Connects without a cache in the home directory."""
    return ONVIFClient(
        given["host"], given["port"], user, password, http_digest=digest, cache=CacheMode.NONE, timeout=20
    )


def attempt(name, call):
    """Does what may be refused."""
    try:
        found(name, call() is None)
    except Exception as error:  # noqa: BLE001 (whatever the client makes of it)
        refused(name, error)


def changed(given):
    """The configuration of the encoder as it shall be; what is left out stays."""
    wanted = given["wanted"]
    return {
        "token": given["encoder"],
        "Name": "By onvif-python",
        "UseCount": 0,
        "Encoding": "H264",
        "Resolution": {"Width": wanted["width"], "Height": wanted["height"]},
        "RateControl": {"FrameRateLimit": wanted["rate"], "BitrateLimit": wanted["kbps"]},
        "Quality": 1,
    }


def look(client, given):
    """Reads the encoder through both services, and the addresses of the profile."""
    media, media2 = client.media(), client.media2()
    found("media1", encoder(media.GetVideoEncoderConfiguration(given["encoder"])))
    found("media2", encoder(media2.GetVideoEncoderConfigurations(ConfigurationToken=given["encoder"])[0]))
    found("stream", media2.GetStreamUri("RTSP", given["profile"]))
    found("snapshot", media2.GetSnapshotUri(given["profile"]))


def profiles(media2):
    """Lists the profiles with their encoders."""
    listed = media2.GetProfiles(Type=["VideoEncoder"])
    encoders = {profile.token: profile.Configurations and profile.Configurations.VideoEncoder for profile in listed}
    return {token: configuration and encoder(configuration) for token, configuration in encoders.items()}


def visit(client, given):
    """Everything that an administrator does at the first visit."""
    device, media2 = client.devicemgmt(), client.media2()
    found("services", {service.Namespace: service.XAddr for service in client.services})
    information = device.GetDeviceInformation()
    found("device", {name: information[name] for name in ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber")})
    found("macs", [interface.Info.HwAddress for interface in device.GetNetworkInterfaces()])
    found("media", device.GetCapabilities(Category="All").Media.XAddr)
    found("profiles", profiles(media2))
    made = media2.CreateProfile("By onvif-python")
    found("made", [made, list(profiles(media2))])
    media2.DeleteProfile(made)
    found("deleted", list(profiles(media2)))
    offered = media2.GetVideoEncoderConfigurationOptions(ConfigurationToken=given["encoder"])
    h264 = next(option for option in offered if option.Encoding == "H264")
    found("offered", [[size.Width, size.Height] for size in h264.ResolutionsAvailable])
    media2.SetVideoEncoderConfiguration(changed(given))
    look(client, given)
    device.CreateUsers(given["users"])
    found("users", [[user.Username, user.UserLevel] for user in device.GetUsers()])


def refusals(given):
    """What is refused to users of lower levels, and to whoever has a wrong password."""
    for user in given["users"]:
        client = connect(given, user["Username"], user["Password"])
        level = user["UserLevel"]
        found(f"{level} reads", list(profiles(client.media2())))
        attempt(f"{level} sets", lambda: client.media2().SetVideoEncoderConfiguration(changed(given)))
        attempt(f"{level} creates", lambda: client.devicemgmt().CreateUsers([{**user, "Username": "another"}]))
    for name, digest in [("wrong token", False), ("wrong digest", True)]:
        attempt(name, lambda: connect(given, given["user"], "wrong", digest).devicemgmt().GetDeviceInformation())


def main():
    """Runs the step."""
    step, given = options()
    if step == "refused":
        refusals(given)
    else:
        {"visit": visit, "look": look}[step](connect(given, given["user"], given["password"]), given)


main()
