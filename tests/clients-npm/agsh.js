// The package `onvif` (agsh), which Node-RED, Shinobi and Scrypted build on. It signs with tokens, or with Digest if told so,
// prefers Media2, and creates profiles through Media1.
//
//     agsh.js visit|look|refused OPTIONS    (JSON; see tests/onvif/driver.rs)
'use strict';

const { Cam } = require('onvif/promises');

const [step, text] = process.argv.slice(2);
const given = JSON.parse(text);

const say = (name, what) => console.log(JSON.stringify({ name, ...what }));
const found = (name, value) => say(name, { value });

async function attempt(name, call) {
	try {
		await call();
		found(name, true);
	} catch (error) {
		say(name, { refused: String(error.message || error), subcodes: null });
	}
}

async function connect(username, password, useWSSecurity = true) {
	const cam = new Cam({ hostname: given.host, port: given.port, username, password, useWSSecurity, timeout: 20000 });
	await cam.connect();
	return cam;
}

const encoder = (configuration) => ({
	encoding: configuration.encoding,
	width: configuration.resolution.width,
	height: configuration.resolution.height,
	rate: configuration.rateControl.frameRateLimit,
	kbps: configuration.rateControl.bitrateLimit,
});

async function profiles(cam) {
	const listed = await cam.getProfiles();
	return Object.fromEntries(listed.map((profile) => {
		const configuration = profile.videoEncoderConfiguration;
		return [profile.$.token, configuration ? encoder(configuration) : null];
	}));
}

// The configuration of the encoder as it shall be.
async function changed(cam) {
	const all = await cam.getVideoEncoderConfigurations();
	const { width, height, rate, kbps } = given.wanted;
	const now = all.find((configuration) => configuration.$.token === given.encoder);
	const rateControl = { ...now.rateControl, frameRateLimit: rate, bitrateLimit: kbps };
	return { ...now, resolution: { width, height }, rateControl };
}

async function look(cam) {
	found('media1', encoder(await cam.getVideoEncoderConfiguration(given.encoder)));
	const all = await cam.getVideoEncoderConfigurations();
	found('media2', encoder(all.find((configuration) => configuration.$.token === given.encoder)));
	found('stream', (await cam.getStreamUri({ protocol: 'RTSP', profileToken: given.profile })).uri);
	found('snapshot', (await cam.getSnapshotUri({ profileToken: given.profile })).uri);
}

async function visit(cam) {
	found('services', Object.fromEntries(cam.services.map((service) => [service.namespace, service.XAddr])));
	const { manufacturer, model, firmwareVersion, serialNumber } = await cam.getDeviceInformation();
	found('device', {
		Manufacturer: manufacturer,
		Model: model,
		FirmwareVersion: String(firmwareVersion),
		SerialNumber: String(serialNumber),
	});
	const interfaces = await cam.getNetworkInterfaces();
	found('macs', interfaces.map((found) => found.info.hwAddress));
	found('media', (await cam.getCapabilities()).media.XAddr);
	found('profiles', await profiles(cam));
	const made = await cam.createProfile({ name: 'By agsh' });
	found('made', [made.$.token, Object.keys(await profiles(cam))]);
	await cam.deleteProfile(made.$.token);
	found('deleted', Object.keys(await profiles(cam)));
	const offered = [await cam.getVideoEncoderConfigurationOptions({ configurationToken: given.encoder })].flat();
	const sizes = offered.find((option) => option.encoding === 'H264').resolutionsAvailable;
	found('offered', [sizes].flat().map((size) => [size.width, size.height]));
	await cam.setVideoEncoderConfiguration(await changed(cam));
	await look(cam);
	const users = given.users.map((user) => ({
		username: user.Username,
		password: user.Password,
		userLevel: user.UserLevel,
	}));
	found('users', (await cam.createUsers(users)).map((user) => [user.username, user.userLevel]));
}

async function refusals() {
	for (const { Username, Password, UserLevel } of given.users) {
		const cam = await connect(Username, Password);
		found(`${UserLevel} reads`, Object.keys(await profiles(cam)));
		await attempt(`${UserLevel} sets`, async () => cam.setVideoEncoderConfiguration(await changed(cam)));
		const another = { username: 'another', password: Password, userLevel: UserLevel };
		await attempt(`${UserLevel} creates`, () => cam.createUsers([another]));
	}
	for (const [name, signed] of [['wrong token', true], ['wrong digest', false]]) {
		await attempt(name, async () => (await connect(given.user, 'wrong', signed)).getDeviceInformation());
	}
	const cam = await connect(given.user, given.password, false);
	found('right digest', Object.keys(await profiles(cam)));
}

async function main() {
	if (step === 'refused') {
		return refusals();
	}
	const cam = await connect(given.user, given.password);
	return { visit, look }[step](cam);
}

main().catch((error) => {
	console.error(error);
	process.exitCode = 1;
});
